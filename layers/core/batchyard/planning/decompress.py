"""Packed inputs: recognized by their first bytes, and unpacked once into a work object that can be read in ranges."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Final

from batchyard.adapters.object_writer import Writer
from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, InputObject
from batchyard.domain.time_budget import OutOfTime, TimeBudget
from batchyard.lines.file_kinds import GZIP
from batchyard.planning.progress import PlanProgress
from batchyard.services import Services

UNPACKED_PIECE: Final = 1024 * 1024  # bytes that are unpacked at a time
DAMAGED: Final = (EOFError, gzip.BadGzipFile, zlib.error)
UNPACKED: Final = "input.jsonl"


class Damaged(ValueError):  # noqa: N818 - names what was seen
    """The packed input is cut short, or not what its first bytes say."""


def source_of(services: Services, batch: Batch, progress: PlanProgress, budget: TimeBudget) -> InputObject:
    """Return the object that holds the lines of the batch: the input, or the unpacked input; raises Damaged.

    When time runs out, the progress keeps what is written. The next call unpacks from the start again, as gzip needs, and
    writes what is missing. So an input must be unpacked in one invocation, though several may write the unpacked bytes.
    """
    if batch.source is not None:
        return batch.source
    first = b"".join(services.bucket.chunks(batch.input, 0, min(len(GZIP), batch.input.size)))
    if first != GZIP:
        return batch.input
    key = object_keys.plan(batch.batch_id, UNPACKED)
    try:
        with services.bucket.writer(key, hashing=False, begun=progress.unpacking) as unpacked:
            _unpack(services.bucket.chunks(batch.input), unpacked, progress, budget)
    except DAMAGED as error:
        raise Damaged(str(error)) from error
    source, _ = services.bucket.head(key)
    services.batch_store.change_batch(batch.batch_id, source=source)
    progress.unpacking = None
    return source


def _unpack(chunks: Iterator[bytes], unpacked: Writer, progress: PlanProgress, budget: TimeBudget) -> None:
    written = unpacked.size
    for piece in gunzip(chunks):
        if written < len(piece):
            unpacked.write(piece[written:])
        written = max(0, written - len(piece))
        try:
            budget.check()
        except OutOfTime:
            progress.unpacking = unpacked.suspend()
            raise


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
