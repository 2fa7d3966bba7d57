"""Bytes on disk that are cut and joined without being read, for objects that are too large for memory."""

import hashlib
import os
import tempfile
import weakref
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

_CHUNK = 256 * 1024


class Digest(Protocol):
    """A hash object of `hashlib`."""

    @property
    def name(self) -> str: ...  # noqa: D102 - hashlib's
    def update(self, data: bytes, /) -> None: ...  # noqa: D102 - hashlib's
    def digest(self) -> bytes: ...  # noqa: D102 - hashlib's
    def hexdigest(self) -> str: ...  # noqa: D102 - hashlib's


class _File:
    """A file that is deleted when nothing refers to it any more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        weakref.finalize(self, path.unlink, missing_ok=True).atexit = False


class _Piece(NamedTuple):
    """A range of a file."""

    file: _File
    #: The first byte.
    start: int
    #: The number of bytes.
    size: int


class Body:
    """Immutable bytes on disk, with what ministack does with bytes: a length, ranges, iteration.

    A range and a join of bodies share their files. `chunks` reads the bytes.
    """

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        self._pieces = pieces
        self._ends = list(accumulate(piece.size for piece in pieces))
        #: The hashes that are known, by the name of their kind.
        self.digests: dict[str, Digest] = {}
        #: The CRC-32, if it is known.
        self.known_crc32: int | None = None

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, wanted: slice) -> "Body":
        start, stop, _ = wanted.indices(len(self))
        return Body(list(self._between(start, stop)))

    def _between(self, start: int, stop: int) -> Iterator[_Piece]:
        place = bisect_right(self._ends, start)
        while start < stop:
            file, begin, size = self._pieces[place]
            end = self._ends[place]
            cut = min(end, stop) - start
            yield _Piece(file, begin + size - (end - start), cut)
            start, place = start + cut, place + 1

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.chunks())

    def __bytes__(self) -> bytes:
        return b"".join(self.chunks())

    def __str__(self) -> str:
        """Return the bytes as text, decoded from UTF-8."""
        return bytes(self).decode()

    def decode(self, *_: str, **__: str) -> str:
        """Return no text: ministack asks this of the fields of a form, and no field is so large."""
        return ""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in small pieces; raise OSError if the disk no longer has them."""
        for file, start, size in self._pieces:
            with file.path.open("rb", buffering=0) as source:
                source.seek(start)
                left = size
                while left:
                    chunk = source.read(min(_CHUNK, left))
                    if not chunk:
                        raise OSError(f"{file.path} was cut short")
                    left -= len(chunk)
                    yield chunk

    def digested(self, new: Callable[[], Digest]) -> Digest:
        """Return the hash of all bytes, begun by `new`; the bytes are read once for each kind of hash."""
        digest = new()
        if digest.name not in self.digests:
            for chunk in self.chunks():
                digest.update(chunk)
            self.digests[digest.name] = digest
        return self.digests[digest.name]

    def crc32(self) -> int:
        """Return the CRC-32 of all bytes, which are read once."""
        if self.known_crc32 is None:
            value = 0
            for chunk in self.chunks():
                value = zlib.crc32(chunk, value)
            self.known_crc32 = value
        return self.known_crc32

    @classmethod
    def joined(cls, bodies: Sequence["Body"]) -> Self:
        """Return the bytes of all `bodies`, one after the other."""
        return cls([piece for body in bodies for piece in body._pieces])  # noqa: SLF001 - of this very class

    @classmethod
    def stored(cls, data: bytes, folder: Path) -> "Body":
        """Write `data` to a new file in `folder`, and return the body."""
        with Storing(folder) as storing:
            storing.write(data)
        return storing.body()


class Storing:
    """Write a new file in `folder`, with its MD5, which S3 needs, and its CRC-32, which clients need."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        self._file, self._target = _File(Path(name)), os.fdopen(handle, "wb")
        self._md5, self._crc32, self.size = hashlib.md5(usedforsecurity=False), 0, 0

    def write(self, data: bytes) -> None:
        """Append bytes; raise OSError if the disk is full."""
        self._target.write(data)
        self._md5.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self.size += len(data)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._target.close()

    def body(self) -> Body:
        """Return what was written, once the file is closed."""
        body = Body([_Piece(self._file, 0, self.size)] if self.size else [])
        body.digests[self._md5.name], body.known_crc32 = self._md5, self._crc32
        return body
