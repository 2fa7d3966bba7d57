"""Lines that are set aside while the rest of their batch runs: error lines of the result, written before anything is sent."""

from typing import Final

from batchyard.adapters.bucket import Bucket
from batchyard.domain import object_keys, outcomes
from batchyard.domain.batch import BatchError
from batchyard.lines.runs import Run, RunWriter
from batchyard.planning.progress import PlanProgress

MOST_HELD: Final = 4 * 1024 * 1024  # bytes of lines in memory, and so of a run


class Skipped:
    """Write error lines as runs, each named by what it holds, so that a plan made again writes the same ones."""

    def __init__(self, bucket: Bucket, batch_id: str, progress: PlanProgress) -> None:
        """Note runs and lines in the progress."""
        self._bucket, self._batch_id, self._progress = bucket, batch_id, progress
        self._held: list[tuple[int, bytes]] = []
        self._size = 0

    def add(self, position: int, number: int, custom_id: str | None, error: BatchError) -> None:
        """Set a line aside; positions ascend until `close`. `number` is its line in the input as an editor numbers them."""
        line = outcomes.answer_line(self._batch_id, position, custom_id, error, number)
        self._held.append((position, line))
        self._size += len(line)
        self._progress.set_aside += 1
        if self._size >= MOST_HELD:
            self.close()

    def close(self) -> None:
        """Write what is held."""
        if not self._held:
            return
        first, count = self._held[0][0], len(self._held)
        with RunWriter(self._bucket, object_keys.skipped(self._batch_id, first, count)) as run:
            for position, line in self._held:
                run.write(position, line)
        self._progress.skipped.append((first, count))
        self._held, self._size = [], 0


def runs(bucket: Bucket, batch_id: str, skipped: list[tuple[int, int]]) -> list[tuple[int, Run]]:
    """Name the runs of a batch, each with its first position."""
    return [(first, Run(bucket, object_keys.skipped(batch_id, first, count))) for first, count in skipped]
