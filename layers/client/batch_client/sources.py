"""Sources of an upload's bytes: of known length, in constant memory, and readable again from the first byte."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast, runtime_checkable

from .errors import InvalidArgumentError

CHUNK_BYTES = 256 * 1024  # with chunks of this size neither Python nor the kernel takes notable time


@runtime_checkable
class Source(Protocol):
    """Give `len(source)` bytes in chunks; each iteration starts from the first byte."""

    def __len__(self) -> int:
        """Return the number of all bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Start from the first byte."""


class BytesSource:
    """Send bytes that are in memory."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = memoryview(data).cast("B")

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._data), CHUNK_BYTES):
            yield bytes(self._data[start : start + CHUNK_BYTES])


class PathSource:
    """Send a file of the file system, with the size that it has now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


class FileSource:
    """Send an open binary file, which must seek, from its present position to its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        try:
            self._start = file.tell()
            self._size = file.seek(0, os.SEEK_END) - self._start
            file.seek(self._start)
        except (OSError, AttributeError) as error:
            raise InvalidArgumentError("The file to upload cannot seek, so its length is not known") from error

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(self._start)
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk


class ByteRanges:
    """Send byte ranges, one after the other; `read(start, length)` gives the chunks of one range."""

    def __init__(self, read: Callable[[int, int], Iterable[bytes]], ranges: Sequence[tuple[int, int]]) -> None:
        self._read = read
        self._ranges = tuple(ranges)

    def __len__(self) -> int:
        return sum(length for _, length in self._ranges)

    def __iter__(self) -> Iterator[bytes]:
        for start, length in self._ranges:
            yield from self._read(start, length)


def source_from(given: object) -> Source:
    """Return a Source of a path, of bytes or of an open binary file; a Source is returned as it is.

    Raises InvalidArgumentError for a value that has no length in bytes, or that cannot be read twice.
    """
    if isinstance(given, bytes | bytearray | memoryview):
        return BytesSource(given)
    if isinstance(given, Path):
        return _path_source(given)
    if isinstance(given, str | list | tuple | Mapping | set | frozenset):
        raise InvalidArgumentError(
            f"A {type(given).__name__} is no source of bytes of known length; give a Path or bytes"
        )
    if isinstance(given, Source):
        return given
    if hasattr(given, "read"):
        return FileSource(cast("BinaryIO", given))
    raise InvalidArgumentError(f"A {type(given).__name__} has no length in bytes, or can be read only once")


def _path_source(path: Path) -> PathSource:
    try:
        return PathSource(path)
    except OSError as error:
        raise InvalidArgumentError(f"{path.name} cannot be read: {error.strerror}") from error
