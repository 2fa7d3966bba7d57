"""Where the files of a gathered batch begin among all its requests and lines, as the plan has read them."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, BatchError

if TYPE_CHECKING:
    from batchyard.adapters.bucket import Bucket
    from batchyard.adapters.file_list import GatheredFile


class FileRead(msgspec.Struct, array_like=True):
    """What the plan has read of a file."""

    #: How many requests stand before the file, and how many lines, those of all files counted.
    requests: int
    lines: int
    #: Of the bytes of the file that were read.
    crc32: int = 0
    #: Why the file is set aside; None if it is not.
    reason: BatchError | None = None


class FileTable(msgspec.Struct):
    """What the plan has read of all files."""

    files: list[FileRead]
    #: The requests of all files.
    requests: int


class FileResult(msgspec.Struct, array_like=True):
    """The results of a file: their lines, their bytes, and the CRC-32 of each once it is written."""

    completed: int = 0
    failed: int = 0
    output_bytes: int = 0
    errors_bytes: int = 0
    output_crc32: int = 0
    errors_crc32: int = 0


class FileResults(msgspec.Struct):
    """The results of all files, and how many files have theirs."""

    #: The version of each shard when the results were begun.
    versions: list[int]
    files: list[FileResult]
    written: int = 0


class FileLine(NamedTuple):
    """A line of a gathered input, as its user knows it."""

    #: The name of its file below the folder.
    file: str
    #: Its place in the file, from 1.
    number: int


class FilePlaces:
    """The files of a gathered input, and what is read of them so far: the first ones."""

    def __init__(self, files: "Sequence[GatheredFile]", read: Sequence[FileRead]) -> None:
        """Take both lists; `read` may grow."""
        self.files, self.read = files, read

    def line(self, number: int) -> FileLine:
        """Say which line of which file has this number among the lines of all files."""
        at = bisect_left(self.read, number, key=attrgetter("lines")) - 1
        return FileLine(self.files[at].name, number - self.read[at].lines)

    def file(self, position: int) -> str:
        """Return the name of the file that has the request at this position."""
        return self.files[self._file_of(position)].name

    def named(self, error: BatchError, number: int) -> BatchError:
        """Return an error that names the file of the line with this number."""
        return msgspec.structs.replace(error, message=f"{self.line(number).file}: {error.message}")

    def parts(self, positions: Sequence[int]) -> Iterator[tuple[int, int, int]]:
        """Yield, for each file that has some of these ascending positions, its place and the range of their indexes."""
        start = 0
        for at in range(self._file_of(positions[0]) if positions else 0, len(self.read)):
            end = self.read[at + 1].requests if at + 1 < len(self.read) else None
            stop = len(positions) if end is None else bisect_left(positions, end, start)
            if stop > start:
                yield at, start, stop
            if stop == len(positions):
                return
            start = stop

    def _file_of(self, position: int) -> int:
        return bisect_left(self.read, position + 1, key=attrgetter("requests")) - 1


def read_table(bucket: "Bucket", batch_id: str) -> FileTable:
    """Read what the plan has read of the files; raises NotFound before the plan has ended."""
    return msgspec.msgpack.decode(bucket.get(object_keys.file_table(batch_id)), type=FileTable)


def write_table(bucket: "Bucket", batch_id: str, table: FileTable) -> None:
    """Write what the plan has read of the files."""
    bucket.put(object_keys.file_table(batch_id), msgspec.msgpack.encode(table))


def read_results(bucket: "Bucket", batch_id: str) -> FileResults:
    """Read what the results of each file have; raises NotFound before they are written."""
    return msgspec.msgpack.decode(bucket.get(object_keys.file_counts(batch_id)), type=FileResults)


def write_results(bucket: "Bucket", batch_id: str, results: FileResults) -> None:
    """Write what the results of each file have."""
    bucket.put(object_keys.file_counts(batch_id), msgspec.msgpack.encode(results))


def places_of(bucket: "Bucket", batch: Batch) -> FilePlaces:
    """Return the files of a gathered batch whose plan has ended; raises NotFound."""
    return FilePlaces(bucket.file_list(batch.input).files, read_table(bucket, batch.batch_id).files)
