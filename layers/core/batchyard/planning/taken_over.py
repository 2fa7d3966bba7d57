"""Answers that a retry takes over: nothing but their places is written, as the lines stand in a copy of the parent's output.

A long stretch of answers without a gap is a run by itself, so that S3 can copy its bytes into the results.
"""

import zlib
from array import array
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from batchyard.adapters import checksums
from batchyard.adapters.bucket import Bucket
from batchyard.adapters.object_writer import LARGEST_COPY, PART
from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, InputObject
from batchyard.lines.merging import Stretch
from batchyard.lines.runs import Run, write_index
from batchyard.planning.progress import RetryProgress, TakenRun

MOST_IN_RUN: Final = 50_000  # answers; the index of a run takes 12 bytes for each
LONG: Final = 2 * PART  # bytes of a stretch that is worth a copy in S3


class TakenOver:
    """Write runs of answers that follow each other in the copy; another try of a plan writes the same runs."""

    def __init__(self, bucket: Bucket, batch_id: str, source: InputObject, progress: RetryProgress) -> None:
        """Count answers and runs in the progress; `source` is the copy."""
        self._bucket, self._batch_id, self._source, self._progress = bucket, batch_id, source, progress
        self._positions, self._sizes, self._start = array("Q"), array("I"), 0
        #: The last answers without a gap: the index of the first one, their bytes, and the CRC-32 of these.
        self._since, self._bytes, self._crc32 = 0, 0, 0

    def add(self, position: int, offset: int, text: bytes) -> None:
        """Take over the answer that stands at `offset`; each answer of the copy is taken over, in order."""
        if self._positions and position != self._positions[-1] + 1:
            self._end_stretch()
        if not self._positions:
            self._start = offset
        self._positions.append(position)
        self._sizes.append(len(text))
        self._bytes, self._crc32 = self._bytes + len(text), zlib.crc32(text, self._crc32)
        self._progress.taken += 1
        if self._since and self._bytes >= LONG:
            self._write(self._since)
        if len(self._positions) >= MOST_IN_RUN:
            self.close()

    def close(self) -> None:
        """Write the places that are held as a run."""
        if self._positions:
            self._write(len(self._positions))
        self._since, self._bytes, self._crc32 = 0, 0, 0

    def _end_stretch(self) -> None:
        if self._bytes >= LONG:
            self.close()
        self._since, self._bytes, self._crc32 = len(self._positions), 0, 0

    def _write(self, count: int) -> None:
        """Write the first answers that are held as a run."""
        positions, sizes = self._positions[:count], self._sizes[:count]
        size, crc32 = sum(sizes), 0 if self._since else self._crc32
        key = object_keys.taken_over(self._batch_id, positions[0], count)
        write_index(self._bucket, key, positions, sizes, self._source, self._start)
        self._progress.taken_runs.append(TakenRun(positions[0], positions[-1], count, self._start, size, crc32))
        self._positions, self._sizes = self._positions[count:], self._sizes[count:]
        self._start, self._since = self._start + size, 0


def history(batch: Batch) -> list[tuple[str, int]]:
    """Tell how many answers with success of a batch are whose; the eldest batch comes first."""
    own = batch.counts.completed - batch.taken_over
    return [*batch.history, (batch.batch_id, own)] if own > 0 else batch.history


class Taken(NamedTuple):
    """Answers that are taken over, from position `first` to `last`."""

    first: int
    last: int
    #: A stretch, if no other line of the results lies between and the bytes are worth a copy in S3.
    lines: Run | Stretch


def runs(bucket: Bucket, batch_id: str, taken_runs: Iterable[TakenRun], source: InputObject | None) -> list[Taken]:
    """Return the answers that a batch takes over from the copy `source`, in order."""
    return [each for group in _groups(taken_runs) for each in _taken(bucket, batch_id, group, source)]


def _groups(taken_runs: Iterable[TakenRun]) -> Iterator[list[TakenRun]]:
    """Group runs that are one stretch together, up to what S3 copies in one request."""
    group: list[TakenRun] = []
    for run in taken_runs:
        size = sum(each.size for each in group) + run.size
        if group and not (_gapless(group[-1], run) and size <= LARGEST_COPY):
            yield group
            group = []
        group.append(run)
    if group:
        yield group


def _gapless(*neighbours: TakenRun) -> bool:
    """Tell whether neighbouring runs have every position from the first to the last."""
    return neighbours[-1].last - neighbours[0].first + 1 == sum(each.count for each in neighbours)


def _taken(bucket: Bucket, batch_id: str, group: list[TakenRun], source: InputObject | None) -> Iterator[Taken]:
    first, last, size = group[0], group[-1], sum(each.size for each in group)
    if source is None or size < LONG or not _gapless(first) or not _gapless(last):
        for run in group:
            yield Taken(run.first, run.last, Run(bucket, object_keys.taken_over(batch_id, run.first, run.count)))
        return
    crc32, lines = 0, sum(each.count for each in group)
    for run in group:
        crc32 = checksums.joined(crc32, run.crc32, run.size)
    yield Taken(first.first, last.last, Stretch(source, first.start, size, crc32, lines))
