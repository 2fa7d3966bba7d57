"""Skipped lines: bad lines that are left out while their batch runs. Their error lines are written before anything is sent."""

from collections.abc import Iterator
from heapq import merge
from typing import Final

from batchyard.adapters.bucket import Bucket
from batchyard.domain import object_keys, outcomes
from batchyard.domain.batch import BatchError
from batchyard.lines.file_places import FilePlaces
from batchyard.lines.runs import Run, RunWriter
from batchyard.planning.progress import PlanProgress

MOST_IN_RUN: Final = 4 * 1024 * 1024  # bytes of error lines, which are held until their run is written


class Skipped:
    """Write the error lines of skipped lines as runs; a run is named by its lines, so another try of a plan writes the same."""

    def __init__(self, bucket: Bucket, batch_id: str, progress: PlanProgress, places: FilePlaces | None = None) -> None:
        """Count lines and runs in the progress; a line of a gathered input is told by its place in its file."""
        self._bucket, self._batch_id, self._progress, self._places = bucket, batch_id, progress, places
        self._held: list[tuple[int, bytes]] = []
        self._size = 0

    def add(self, position: int, number: int, custom_id: str | None, error: BatchError) -> None:
        """Skip a line, by its position and its number in the input; positions ascend until `close`."""
        if self._places is not None:
            error, number = self._places.named(error, number), self._places.line(number).number
        self.add_line(position, outcomes.answer_line(self._batch_id, position, custom_id, error, number))

    def add_line(self, position: int, line: bytes) -> None:
        """Skip a line that has an error line already."""
        self._held.append((position, line))
        self._size += len(line)
        self._progress.skipped_lines += 1
        if self._size >= MOST_IN_RUN:
            self.close()

    def close(self) -> None:
        """Write the lines that are held as a run."""
        if not self._held:
            return
        first, count = self._held[0][0], len(self._held)
        with RunWriter(self._bucket, object_keys.skipped(self._batch_id, first, count)) as run:
            for position, line in self._held:
                run.write(position, line)
        self._progress.skipped_runs.append((first, count))
        self._held, self._size = [], 0


def between(bucket: Bucket, batch_id: str, progress: PlanProgress) -> Iterator[tuple[int, int]]:
    """Yield the first and the last position of each range of lines that are not skipped, once the whole input is checked."""
    after = -1
    for position in merge(*(run.positions() for _, run in runs(bucket, batch_id, progress.skipped_runs))):
        if position > after + 1:
            yield after + 1, position - 1
        after = position
    if progress.lines > after + 1:
        yield after + 1, progress.lines - 1


def runs(bucket: Bucket, batch_id: str, skipped_runs: list[tuple[int, int]]) -> list[tuple[int, Run]]:
    """Return the runs of skipped lines of a batch, each with its first position."""
    return [(first, Run(bucket, object_keys.skipped(batch_id, first, count))) for first, count in skipped_runs]
