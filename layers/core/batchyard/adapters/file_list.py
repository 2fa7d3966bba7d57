"""The files of a gathered input, which are read one after the other as one input."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from batchyard.domain.batch import InputObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    ReadPart = Callable[["FilePart"], Iterable[bytes]]

READERS: Final = 8  # of files, at a time
AHEAD: Final = 16  # files that are read before they are asked for
SMALL: Final = 512 * 1024  # bytes of a file, at most, that is read ahead
LINE_END: Final = b"\n"


class GatheredFile(msgspec.Struct, frozen=True, array_like=True):
    """One version of one file of a gather folder."""

    #: Its name below the folder.
    name: str
    etag: str
    #: Bytes.
    size: int
    version_id: str | None
    #: When the file came, in Unix seconds.
    at: int


class FilePart(NamedTuple):
    """Bytes of a file: ranges `[start, stop)`, which ascend, and then perhaps a line end of ours."""

    source: InputObject
    ranges: list[tuple[int, int]]
    ends: bool

    @property
    def size(self) -> int:
        """Return how many bytes are read at most."""
        return self.ranges[-1][1] - self.ranges[0][0] if self.ranges else 0


class FileList:
    """The files of a gathered input. They are read one after the other, with a line end of ours behind each of them."""

    def __init__(self, source: InputObject, files: list[GatheredFile]) -> None:
        """Take the input, and the files that its list names."""
        self._source, self.files = source, files
        #: The byte of the input at which each file begins, and at last the size of the input.
        self.starts = list(accumulate((file.size + 1 for file in files), initial=0))

    @classmethod
    def unpack(cls, source: InputObject, data: bytes) -> FileList:
        """Decode a list that `pack_files` encoded."""
        return cls(source, msgspec.msgpack.decode(data, type=list[GatheredFile]))

    def __len__(self) -> int:
        """Count the files."""
        return len(self.files)

    def file(self, at: int) -> InputObject:
        """Return the object of a file."""
        file = self.files[at]
        return InputObject(
            self._source.bucket, self._source.key + file.name, file.etag, file.size, version_id=file.version_id
        )

    def read(self, ranges: Iterable[tuple[int, int]], read: ReadPart) -> Iterator[bytes]:
        """Yield the bytes of ranges of the input, with the help of `read`, which reads those of one file.

        No chunk has bytes of two files, and no file without such bytes is read. Some small parts are read ahead, so memory is
        bounded.
        """
        waiting = deque[Future[bytes]]()
        with ThreadPoolExecutor(READERS) as readers:
            for part in self._parts(ranges):
                if part.size <= SMALL:
                    waiting.append(readers.submit(_whole, part, read))
                    if len(waiting) > AHEAD:
                        yield waiting.popleft().result()
                    continue
                while waiting:
                    yield waiting.popleft().result()
                yield from read(part)
                yield from [LINE_END] if part.ends else []
            while waiting:
                yield waiting.popleft().result()

    def _parts(self, ranges: Iterable[tuple[int, int]]) -> Iterator[FilePart]:
        """Part ranges of the input, which ascend, by file."""
        at, own, ends = -1, list[tuple[int, int]](), False
        for first, stop in ranges:
            start = first
            while start < stop:
                file = bisect_right(self.starts, start) - 1
                if file != at and at >= 0:
                    yield FilePart(self.file(at), own, ends)
                    own, ends = [], False
                at, begin, size = file, self.starts[file], self.files[file].size
                end = min(stop, self.starts[file + 1])
                if start - begin < size:
                    own.append((start - begin, min(size, end - begin)))
                start, ends = end, end - begin > size
        if at >= 0:
            yield FilePart(self.file(at), own, ends)


def _whole(part: FilePart, read: ReadPart) -> bytes:
    return b"".join((*read(part), LINE_END if part.ends else b""))


def pack_files(files: Sequence[GatheredFile]) -> bytes:
    """Encode a list of files."""
    return msgspec.msgpack.encode(files)
