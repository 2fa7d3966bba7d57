"""The answer of an operation, before an ordered fault changes it and before it is sent."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class FileSlice:
    """A range of a file on disk, which is read in chunks."""

    path: Path
    #: The first byte.
    start: int
    #: The number of bytes.
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


_HTML = "<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"


@dataclass
class Reply:
    """An answer."""

    #: The body as JSON, unless there is `content`.
    payload: dict[str, Any] | None = None
    #: The HTTP status.
    status: int = 200
    #: The body as bytes.
    content: bytes | FileSlice | None = None
    #: The media type of the body.
    content_type: str = "application/json"
    #: Further headers.
    headers: dict[str, str] = field(default_factory=dict)
    #: The id of what the call made.
    made: str | None = None

    def body(self) -> bytes | FileSlice:
        """Return the bytes to send."""
        return msgspec.json.encode(self.payload) if self.content is None else self.content


def refused_by_gateway(status: int, headers: dict[str, str] | None = None) -> Reply:
    """Return the HTML page of a gateway."""
    return Reply(None, status, _HTML.format(status=status).encode(), "text/html", dict(headers or {}))
