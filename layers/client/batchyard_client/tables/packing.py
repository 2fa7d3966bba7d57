"""gzip and zstd around a file, known by the first bytes and not by the name."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, Any, Final

from .errors import MissingPackage, UnreadableTable
from .packages import INSTALL, optional

GZIP, ZSTD = "gz", "zst"
MAGIC: Final = {b"\x1f\x8b": GZIP, b"\x28\xb5\x2f\xfd": ZSTD}
SUFFIXES: Final = {".gz": GZIP, ".zst": ZSTD}
_LEVEL: Final = 6
_READ_AHEAD: Final = 1 << 18
_zstd = optional("compression.zstd")  # of Python 3.14
# pyarrow's errors are of these classes too
_DAMAGED: Final = (EOFError, OSError, ValueError, zlib.error, *([_zstd.ZstdError] if _zstd else []))


def packing_of(name: str) -> str | None:
    """Tell how a file of this name is packed."""
    return SUFFIXES.get(PurePosixPath(name).suffix.lower())


def check_packing(kind: str | None) -> None:
    """Refuse a packing that needs a package which is not installed."""
    if kind == ZSTD and not _zstd:
        _arrow()


def unpacked(file: io.BufferedReader, name: str) -> io.BufferedReader:
    """Return a buffered reader of what a file holds, unpacked where the file is packed."""
    start = file.peek(4)
    kind = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)
    if kind is None:
        return file
    reader = gzip.GzipFile(fileobj=file) if kind == GZIP else _zstd_reader(file)
    return io.BufferedReader(_Checked(reader, file, name), _READ_AHEAD)


class _Left(io.RawIOBase):
    """A file that stays open when its writer is closed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - any bytes
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def packed(file: IO[bytes], kind: str | None) -> Iterator[IO[bytes]]:
    """Give a writer that packs into a file, or the file itself; the file stays open."""
    if kind is None:
        yield file
        return
    gzipped = kind == GZIP
    writer: Any = gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) if gzipped else _zstd_writer(file)
    with writer:
        yield writer


class _Checked(io.RawIOBase):
    """Unpacked bytes; damage is told in words."""

    def __init__(self, reader: Any, file: IO[bytes], name: str) -> None:  # noqa: ANN401 - gzip's, zstd's, or pyarrow's
        self._reader, self._file, self._name = reader, file, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        try:
            piece = self._reader.read(len(buffer))
        except _DAMAGED as error:
            raise UnreadableTable(f"{self._name} is cut off or damaged: it cannot be unpacked ({error})") from error
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _zstd_reader(file: IO[bytes]) -> Any:  # noqa: ANN401 - the standard library's, or pyarrow's
    if _zstd:
        return _zstd.ZstdFile(file)
    return _arrow().CompressedInputStream(file, "zstd")


def _zstd_writer(file: IO[bytes]) -> Any:  # noqa: ANN401 - as above
    if _zstd:
        return _zstd.ZstdFile(file, "w")
    return _arrow().CompressedOutputStream(_Left(file), "zstd")


def _arrow() -> Any:  # noqa: ANN401 - pyarrow has no types
    found = optional("pyarrow")
    if found is None:
        raise MissingPackage(f"A .zst file needs Python 3.14 or pyarrow. Install it: {INSTALL}")
    return found
