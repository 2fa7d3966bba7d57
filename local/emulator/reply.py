"""What an operation answers, before any ordered fault and before it becomes bytes on a connection."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class FileSlice:
    """A stretch of a file on disk, read in chunks so that its size never matters to memory."""

    path: Path
    start: int
    length: int

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.start)
            left = self.length
            while left and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk


@dataclass
class Reply:
    """An answer: `payload` (JSON) unless `content` (bytes as they are) is given; `made` is the id it created."""

    payload: dict[str, Any] | None = None
    status: int = 200
    content: bytes | FileSlice | None = None
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    made: str | None = None

    def body(self) -> bytes | FileSlice:
        """Return the bytes to send."""
        return msgspec.json.encode(self.payload) if self.content is None else self.content
