"""Answers that a retry takes over: nothing but their places is written, as the lines stand in a copy of the parent's output."""

from array import array
from typing import Final

from batchyard.adapters.bucket import Bucket
from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject
from batchyard.lines.runs import Run, write_index
from batchyard.planning.progress import RetryProgress

MOST_IN_RUN: Final = 50_000  # answers; the index of a run takes 12 bytes for each


class TakenOver:
    """Write runs of answers that follow each other in the copy; another try of a plan writes the same runs."""

    def __init__(self, bucket: Bucket, batch_id: str, source: InputObject, progress: RetryProgress) -> None:
        """Count answers and runs in the progress; `source` is the copy."""
        self._bucket, self._batch_id, self._source, self._progress = bucket, batch_id, source, progress
        self._positions, self._sizes, self._start = array("Q"), array("I"), 0

    def add(self, position: int, offset: int, size: int) -> None:
        """Take over the answer that stands at `offset`; each answer of the copy is taken over, in order."""
        if not self._positions:
            self._start = offset
        self._positions.append(position)
        self._sizes.append(size)
        self._progress.taken += 1
        if len(self._positions) >= MOST_IN_RUN:
            self.close()

    def close(self) -> None:
        """Write the places that are held as a run."""
        if not self._positions:
            return
        first, count = self._positions[0], len(self._positions)
        key = object_keys.taken_over(self._batch_id, first, count)
        write_index(self._bucket, key, self._positions, self._sizes, self._source, self._start)
        self._progress.taken_runs.append((first, count))
        self._positions, self._sizes = array("Q"), array("I")


def runs(bucket: Bucket, batch_id: str, taken_runs: list[tuple[int, int]]) -> list[tuple[int, Run]]:
    """Return the runs of answers that a batch takes over, each with its first position."""
    return [(first, Run(bucket, object_keys.taken_over(batch_id, first, count))) for first, count in taken_runs]
