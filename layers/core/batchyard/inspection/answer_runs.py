"""Where the answers of a shard lie: the runs that its attempts left, and the run of the lines that were never answered."""

from collections.abc import Container, Iterator
from functools import cached_property

from batchyard.adapters.bucket import Bucket
from batchyard.domain import object_keys, statuses
from batchyard.domain.batch import Batch
from batchyard.domain.errors import NotFound
from batchyard.domain.shard import Shard, answer_runs
from batchyard.lines.runs import LineInRun, Run
from batchyard.lines.unanswered_shards import UnansweredShard, unanswered_shards


class AnswerRuns:
    """The runs of a batch's answers. Which shards have unanswered lines is read once, when it is first asked for."""

    def __init__(self, bucket: Bucket, batch: Batch) -> None:
        """Prepare; nothing is read yet."""
        self._bucket, self._batch = bucket, batch

    def output(self, shard: Shard) -> list[Run]:
        """Return the runs of a shard's answers with success."""
        return self._of(shard, "output")

    def errors(self, shard: Shard) -> list[Run]:
        """Return the runs of a shard's errors; when no answer can come any more, those of its unanswered lines, too."""
        settled = shard.unfinished and (self._batch.ended or shard.done)
        left = self._unanswered.get(shard.shard) if settled else None
        return [*self._of(shard, "errors"), *([self._run(left)] if left else [])]

    def never_begun(self, begun: Container[int], first: int, last: int) -> list[Run]:
        """Return, of an ended batch, the runs with lines from position `first` to `last` of shards that have no record."""
        left = self._unanswered.values() if self._batch.ended else ()
        return [
            self._run(each) for each in left if each.shard not in begun and each.first <= last and each.last >= first
        ]

    def _of(self, shard: Shard, name: str) -> list[Run]:
        return [Run(self._bucket, run.key) for run in answer_runs(shard) if run.name == name]

    def _run(self, left: UnansweredShard) -> Run:
        return Run(self._bucket, object_keys.unanswered(self._batch.batch_id, left.shard, left.version))

    @cached_property
    def _unanswered(self) -> dict[int, UnansweredShard]:
        if self._batch.status == statuses.IN_PROGRESS:
            return {}
        return {each.shard: each for each in unanswered_shards(self._bucket, self._batch.batch_id)}


def found(runs: list[Run], positions: list[int]) -> Iterator[LineInRun]:
    """Find lines by their positions, which ascend; each line is in one run at most, and a run that is gone has none."""
    left = positions
    for run in runs:
        if not left:
            return
        try:
            here = run.find(left)
        except NotFound:
            continue  # removed by hand, or its batch is older than the bucket keeps work
        yield from here
        known = {line.position for line in here}
        left = [position for position in left if position not in known]


def positions_in(runs: list[Run]) -> list[int]:
    """Return the positions of all lines of these runs, ascending; a run that is gone has none."""
    every: list[int] = []
    for run in runs:
        try:
            every += run.positions()
        except NotFound:
            continue  # removed by hand, or its batch is older than the bucket keeps work
    return sorted(every)
