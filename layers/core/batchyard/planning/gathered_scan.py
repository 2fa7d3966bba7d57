"""The pass over a gathered input, file by file: what is no file of requests is set aside, or refuses the batch."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain
from typing import Final
from zlib import crc32

import msgspec

from batchyard.domain import object_keys
from batchyard.domain.batch import REFUSE, Batch, BatchError
from batchyard.domain.errors import NotFound, UploadGone
from batchyard.lines import file_kinds
from batchyard.lines.file_places import FilePlaces, FileRead, FileTable, write_table
from batchyard.lines.shard_lines import ShardLines
from batchyard.observability import logger
from batchyard.planning.duplicates import Ids
from batchyard.planning.progress import PlanProgress
from batchyard.planning.scan import InputScan
from batchyard.services import Services

EMPTY: Final = BatchError("empty_file", "The file has no requests. Write one JSON request object per line.")
GONE: Final = BatchError("invalid_request", "The file was deleted or replaced before it was read. Put it there again.")
FILE_DIGITS: Final = 9


class FileGone(NotFound):
    """A file is gone whose lines are in the batch, or in the one that is retried."""

    def __init__(self, name: str, *, retried: bool) -> None:
        """Say what was lost, and what can be done."""
        super().__init__(f"{name} is gone")
        why = "A retry reads all files again, in the versions that were gathered. " if retried else ""
        message = f"{name}: The file was deleted while it was needed. {why}Gather what is to be sent as new files."
        self.error = BatchError("invalid_request", message, "input_prefix")


class FileIds(Ids):
    """The custom_ids of a pass over files, each with its file: the same custom_id may stand in another file."""

    def __init__(self) -> None:
        """Begin before the first file."""
        super().__init__()
        self.file = 0

    def add(self, custom_ids: list[str]) -> None:
        """Take the next ids of the file."""
        super().add([_with_file(self.file, custom_id) for custom_id in custom_ids])


def _with_file(file: int, custom_id: str) -> str:
    return f"{file:0{FILE_DIGITS}}{custom_id}"


def without_file(custom_id: str) -> str:
    """Return the custom_id of a line from the one that stands with its file."""
    return custom_id[FILE_DIGITS:]


def with_files(shard: ShardLines, places: FilePlaces) -> ShardLines:
    """Give the custom_ids of a shard that is only looked at their files."""
    own = shard.custom_ids
    parts = ((file, own[start:stop]) for file, start, stop in places.parts(shard.positions))
    shard.custom_ids = [_with_file(file, custom_id) for file, some in parts for custom_id in some]
    return shard


def places_so_far(services: Services, batch: Batch, progress: PlanProgress) -> FilePlaces | None:
    """Return the files of a batch as far as they are read; None of a batch that is not gathered."""
    if not batch.gathered:
        return None
    return FilePlaces(services.bucket.file_list(batch.input).files, progress.files_read)


def end(services: Services, batch: Batch, progress: PlanProgress) -> None:
    """Write what is read of the files of a gathered batch, and tell its errors by the lines of the files; no line is left."""
    places = places_so_far(services, batch, progress)
    if places is None:
        return
    write_table(services.bucket, batch.batch_id, FileTable(progress.files_read, progress.lines))
    progress.errors = [
        msgspec.structs.replace(error, line=places.line(error.line).number) if error.line else error
        for error in progress.errors
    ]


class FileScan:
    """The pass over the files."""

    def __init__(self, services: Services, batch: Batch, scan: InputScan) -> None:
        """Go on from the progress of `scan`, which takes the lines of each file."""
        self._bucket, self._batch, self._scan, self._progress = services.bucket, batch, scan, scan.progress
        self._files = services.bucket.file_list(batch.input)
        self._ids = None if self._progress.offset else FileIds()
        scan.ids = self._ids
        #: Of the bytes of the file up to the last line end that was read: there the progress stands, once they are taken.
        self._crc32 = 0
        self._errors_before = -1  # those of all files before the one that is read; not known of one that is read on

    def take(self) -> Iterator[ShardLines | None]:
        """Read the files from `progress.offset` on; yield each shard that is full, and None where the progress is true."""
        while self._progress.offset < self._batch.input.size:
            if (known := self._known_reason()) is not None:
                at = self._at
                self._open(at)
                self._set_aside(at, known)
                yield None
                continue
            try:
                yield from self._take_rest(self._bucket.chunks(self._batch.input, self._progress.offset))
            except NotFound as error:
                at = self._at
                begun = self._progress.offset > self._files.starts[at]
                if isinstance(error, UploadGone):
                    raise  # it is not the file that is gone
                if self._scan.parent is not None or begun:  # its lines are in a batch already
                    raise FileGone(self._files.files[at].name, retried=self._scan.parent is not None) from error
                logger.warning("file gone", batch_id=self._batch.batch_id, reason=str(error))
                self._open(at)
                self._set_aside(at, GONE)
                yield None

    @property
    def _at(self) -> int:
        """Return the place of the file that is to be read."""
        return bisect_right(self._files.starts, self._progress.offset) - 1

    def _known_reason(self) -> BatchError | None:
        """Say why the next file is set aside unread: for its name, or by the batch that is retried, as it may be gone since."""
        parent, batch, at = self._scan.parent, self._batch, self._at
        if self._progress.offset != self._files.starts[at]:
            return None
        unfit = object_keys.why_without_results(batch.tenant, batch.batch_id, self._files.files[at].name)
        known = parent.why_set_aside(at) if parent is not None else None
        return known or (BatchError("invalid_request", unfit) if unfit else None)

    def _take_rest(self, chunks: Iterator[bytes]) -> Iterator[ShardLines | None]:
        """Read file after file, up to the end, or up to one that is passed by though its bytes are not read."""
        while self._progress.offset < self._batch.input.size and self._known_reason() is None:
            at, first = self._at, next(chunks)
            if self._progress.offset == self._files.starts[at]:
                self._open(at)
                reason = file_kinds.why_set_aside(first, self._files.files[at].size)
                if reason is not None:
                    whole = self._progress.offset + len(first) == self._files.starts[at + 1]
                    self._set_aside(at, reason)
                    yield None
                    if whole:
                        continue
                    return
            yield from self._take_lines(at, chain([first], chunks))

    def _open(self, at: int) -> None:
        if len(self._progress.files_read) == at:
            self._progress.files_read.append(FileRead(self._progress.lines, self._progress.number))
        self._errors_before = self._progress.errors_total
        if self._ids is not None:
            self._ids.file = at
        if self._scan.parent is not None:
            self._scan.parent.begin_file(at)

    def _take_lines(self, at: int, chunks: Iterator[bytes]) -> Iterator[ShardLines | None]:
        for full in self._scan.take(self._of_file(at, chunks)):
            if full is None:
                self._progress.files_read[at].crc32 = self._crc32
            yield full
        requests = self._progress.files_read[at].requests
        if self._progress.lines == requests and self._progress.errors_total == self._errors_before:
            self._set_aside(at, EMPTY)

    def _of_file(self, at: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of a file, and keep their checksum, but of none of them more than a chunk: a line may be endless."""
        left, whole = self._files.starts[at + 1] - self._progress.offset, self._progress.files_read[at].crc32
        for chunk in chunks:
            theirs = memoryview(chunk)[: left - 1]  # the last byte is a line end of ours
            cut = chunk.rfind(b"\n") + 1
            if cut:
                whole = self._crc32 = crc32(theirs[:cut], whole)
            whole = crc32(theirs[cut:], whole)
            yield chunk
            left -= len(chunk)
            if not left:
                return
            del chunk, theirs  # as in `blocks`

    def _set_aside(self, at: int, reason: BatchError) -> None:
        """Pass a file by; of a batch that is refused for it, that is an error."""
        logger.warning("file set aside", batch_id=self._batch.batch_id, code=reason.code)
        self._progress.files_read[at].reason = msgspec.structs.replace(reason, line=None)
        self._progress.offset = self._files.starts[at + 1]
        if self._batch.on_invalid == REFUSE:
            self._tell(at, reason)

    def _tell(self, at: int, reason: BatchError) -> None:
        message = f"{self._files.files[at].name}: {reason.message}"
        self._scan.add_error(msgspec.structs.replace(reason, message=message, line=None))
