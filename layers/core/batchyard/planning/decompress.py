"""Packed inputs: recognized by their first bytes, and unpacked once into a work object that can be read in ranges."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

from batchyard.adapters.object_writer import Writer
from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, BatchError, InputObject
from batchyard.domain.errors import StaleRecord
from batchyard.domain.step import OutOfTime, TimeBudget
from batchyard.lines.file_kinds import GZIP
from batchyard.lines.line import too_long
from batchyard.planning.progress import PlanProgress
from batchyard.planning.scan import LONGEST_LINE
from batchyard.services import Services

UNPACKED_PIECE: Final = 1024 * 1024  # bytes that are unpacked at a time
COUNTED_TOGETHER: Final = 256 * 1024 * 1024  # bytes of a copy between two writes to the sum of what its tenant stores
DAMAGED: Final = (EOFError, gzip.BadGzipFile, zlib.error)
UNPACKED: Final = "input.jsonl"


class Damaged(ValueError):  # noqa: N818 - names what was seen
    """The packed input is cut short, or not what its first bytes say."""


class TooMuch(ValueError):  # noqa: N818 - names what was seen
    """The packed input unpacks to more than it may; a file of some MB may hold TB of blanks."""

    def __init__(self, error: BatchError) -> None:
        """Keep the error that the batch is refused with."""
        super().__init__(error.message)
        self.error = error


class Lines:
    """The lines that an input unpacks to: how many there are, and how long the last one is so far."""

    def __init__(self, longest: int) -> None:
        """Begin with none; no line may have more bytes than `longest`."""
        self._longest, self._number, self._open = longest, 1, 0

    def add(self, piece: bytes) -> None:
        """Add bytes; raises TooMuch for a line that goes over the ends of pieces and is too long."""
        size = self._open + (len(piece) if b"\n" not in piece else piece.index(b"\n") + 1)
        if size > self._longest:
            raise TooMuch(msgspec.structs.replace(too_long(size, self._longest), line=self._number))
        self._number += piece.count(b"\n")
        self._open = size if b"\n" not in piece else len(piece) - piece.rindex(b"\n") - 1


class Copy:
    """The unpacked copy of a batch's input, which counts toward what the tenant stores."""

    def __init__(self, services: Services, batch: Batch, progress: PlanProgress) -> None:
        """Go on from what `progress` says is written and counted."""
        self._services, self._batch, self._progress = services, batch, progress

    def write(self, unpacked: Writer, budget: TimeBudget) -> None:
        """Unpack the input; raises OutOfTime with the writer suspended, TooMuch, or what damaged bytes lead to."""
        settings, written, passed = self._services.settings, unpacked.size, 0
        lines = Lines(min(LONGEST_LINE, settings.max_bytes_per_shard))
        for piece in gunzip(self._services.bucket.chunks(self._batch.input)):
            passed += len(piece)
            if passed > settings.max_unpacked_bytes:
                raise TooMuch(_too_large(settings.max_unpacked_bytes))
            lines.add(piece)
            if written < len(piece):
                unpacked.write(piece[written:])
            written = max(0, written - len(piece))
            if unpacked.size - self._progress.counted_bytes >= COUNTED_TOGETHER:
                self._count(unpacked.size)
            try:
                budget.check()
            except OutOfTime:
                self._progress.unpacking = unpacked.suspend()
                raise
        self._count(unpacked.size)

    def forget(self) -> None:
        """Count nothing of a copy that is not kept."""
        self._services.quota_store.give_back(self._batch.tenant, self._progress.counted_bytes, self._services.now())
        self._progress.counted_bytes, self._progress.unpacking = 0, None

    def _count(self, size: int) -> None:
        quotas, more = self._services.quota_store, size - self._progress.counted_bytes
        if more > 0 and not quotas.add(self._batch.tenant, more, self._services.now()):
            raise TooMuch(no_room(f"The input unpacks to {size:,} bytes or more", quotas.most_bytes))
        self._progress.counted_bytes = max(size, self._progress.counted_bytes)


def source_of(services: Services, batch: Batch, progress: PlanProgress, budget: TimeBudget) -> InputObject:
    """Return the object that holds the lines: the input, or its unpacked copy; raises Damaged, TooMuch.

    When time runs out, the progress keeps what is written. The next call unpacks from the start again, as gzip needs, and
    writes what is missing. So one invocation must unpack all, though several may write.
    """
    if batch.source is not None or batch.gathered:
        return batch.source or batch.input
    first = b"".join(services.bucket.chunks(batch.input, 0, min(len(GZIP), batch.input.size)))
    if first != GZIP:
        return batch.input
    key, copy = object_keys.plan(batch.batch_id, UNPACKED), Copy(services, batch, progress)
    unpacked = services.bucket.writer(key, hashing=False, begun=progress.unpacking)
    try:
        with unpacked:
            copy.write(unpacked, budget)
    except (*DAMAGED, TooMuch) as error:
        unpacked.discard()
        copy.forget()
        raise error if isinstance(error, TooMuch) else Damaged(str(error)) from error
    progress.unpacking = None
    return _recorded(services, batch, services.bucket.head(key)[0])


def _recorded(services: Services, batch: Batch, source: InputObject) -> InputObject:
    """Record the copy, also if the batch has ended meanwhile: the sweep removes what the record names."""
    if services.batch_store.keep_copy(batch.batch_id, source=source).ended:
        raise StaleRecord(f"{batch.batch_id} ended while its input was unpacked")
    return source


def _too_large(most: int) -> BatchError:
    message = f"The input unpacks to more than {most:,} bytes (MaxUnpackedBytes). Split it, or send it unpacked."
    return BatchError("file_too_large", message, "file_id")


def no_room(what: str, most: int, way: str = "send the input unpacked", param: str = "file_id") -> BatchError:
    """Say that a copy does not fit into what the tenant may store."""
    message = f"{what}, which do not fit into the {most:,} bytes that you may store. Delete what you no longer need, or {way}."
    return BatchError("storage_limit_exceeded", message, param)


def gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the unpacked bytes of all members; raises EOFError, BadGzipFile or zlib.error if the bytes are damaged."""
    with gzip.GzipFile(fileobj=io.BufferedReader(_Chunks(chunks), UNPACKED_PIECE)) as unpacked:
        while piece := unpacked.read(UNPACKED_PIECE):
            yield piece


class _Chunks(io.RawIOBase):
    """An iterator of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        while not self._held:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._held = memoryview(chunk)
        size = min(len(buffer), len(self._held))
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size
