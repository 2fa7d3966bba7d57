"""The results of a batch: every line's outcome, in input order, from the runs its shards left."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import msgspec

from batchyard.adapters.bucket import Bucket
from batchyard.adapters.object_writer import Begun, Writer
from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject
from batchyard.domain.shard import Attempt, Shard
from batchyard.domain.time_budget import TimeBudget
from batchyard.lines.merging import NOWHERE, MergeInput, merged
from batchyard.lines.runs import Run
from batchyard.shards.unanswered import put_unanswered, unanswered_key

SkippedRuns = list[tuple[int, Run]]


class Tally(msgspec.Struct):
    """What was written: lines of each result, and errors by code."""

    succeeded: int = 0
    failed: int = 0
    codes: dict[str, int] = {}

    def count(self, codes: dict[str, int]) -> None:
        """Add errors by their code."""
        for code, lines in codes.items():
            self.codes[code] = self.codes.get(code, 0) + lines


class Result(msgspec.Struct, frozen=True):
    """A result as it lies in the bucket; `sha256` in hex, None where not all of its bytes came by us."""

    object: InputObject
    sha256: str | None


class ResultsProgress(msgspec.Struct, kw_only=True):
    """How far the results are written: all it needs to go on in another process.

    `versions` are those of the shards it was begun for. Before `group` everything is written. Of that group the lines given up
    are put down for so many shards (`left`), and one of the two results has the lines up to position `after`, or so many bytes
    of a run (`copied`); `output_written` tells which one. `completed` is set when both lie there.
    """

    versions: list[int] = []
    group: int = 0
    left: int = 0
    output_written: bool = False
    after: int = -1
    copied: int = 0
    tally: Tally = msgspec.field(default_factory=Tally)
    output: Begun | None = None
    errors: Begun | None = None
    completed: bool = False


def groups(shards: Iterable[Shard]) -> Iterator[list[Shard]]:
    """Group shards whose positions interleave; each group lies wholly before the next."""
    group: list[Shard] = []
    end = -1
    for shard in sorted(shards, key=lambda each: each.first):
        if group and shard.first > end:
            yield group
            group = []
        group.append(shard)
        end = max(end, shard.last)
    if group:
        yield group


class RunSlice(NamedTuple):
    """A run, or of one that is not wanted whole the lines from the position `first` to `last`."""

    run: Run
    first: int
    last: int
    whole: bool = True

    def feed(self, after: int) -> MergeInput:
        """Make what is to be merged of it: the lines behind `after`."""
        blocks = partial(self.run.blocks, max(after, self.first - 1), self.last)
        return MergeInput(self.first, self.last, blocks)


class Results:
    """Write every line's outcome to one of the two results, in input order; memory is bounded by a shard."""

    def __init__(
        self,
        bucket: Bucket,
        shards: Iterable[Shard],
        skipped_runs: SkippedRuns,
        progress: ResultsProgress,
        budget: TimeBudget,
    ) -> None:
        """Go on from `progress`, which this keeps up to date but for what the writers know.

        `skipped_runs` are runs of error lines that belong to no shard, each with its first position.
        """
        self._bucket, self._groups, self._skipped = bucket, [*groups(shards), []], skipped_runs
        self._progress, self._budget = progress, budget

    def write(self, output: Writer, errors: Writer) -> None:
        """Go on to the end; wherever time runs out, the writers may be put down and the progress kept."""
        before = -1
        for number, group in enumerate(self._groups):
            last = max((shard.last for shard in group), default=NOWHERE)
            if number >= self._progress.group:
                self._write(group, (before, last), output, errors)
            before = last

    def _write(self, group: list[Shard], span: tuple[int, int], output: Writer, errors: Writer) -> None:
        progress = self._progress
        for shard in group[progress.left :]:
            self._budget.check()
            progress.tally.count(shard.codes)
            if shard.unfinished:
                progress.tally.count(put_unanswered(self._bucket, shard))
            progress.left += 1
        if not progress.output_written:
            self._append(output, self._output(group))
            self._move_on(output_written=True)
        self._append(errors, [*self._errors(group), *self._reject_lines(*span)])
        self._move_on(output_written=False)
        progress.group, progress.left = progress.group + 1, 0
        self._budget.check()

    def _move_on(self, *, output_written: bool) -> None:
        self._progress.output_written, self._progress.after, self._progress.copied = output_written, -1, 0

    def _append(self, writer: Writer, spans: list[RunSlice]) -> None:
        """Append lines to a result; a shard's run that is alone is in order as it is."""
        if len(spans) == 1 and spans[0].whole:
            self._copy(writer, spans[0].run)
            return
        after = self._progress.after
        for stretch in merged(span.feed(after) for span in spans if span.last > after):
            writer.write(stretch.data)
            self._count(stretch.lines)
            self._progress.after = stretch.last
            self._budget.check()

    def _copy(self, writer: Writer, run: Run) -> None:
        for reached, lines in run.copy_to(writer, self._progress.copied):
            if not self._progress.copied:
                self._count(lines)
            self._progress.copied = reached
            self._budget.check()

    def _count(self, lines: int) -> None:
        if self._progress.output_written:
            self._progress.tally.failed += lines
        else:
            self._progress.tally.succeeded += lines

    def _output(self, group: list[Shard]) -> list[RunSlice]:
        return self._runs(group, "output", lambda attempt: attempt.succeeded)

    def _errors(self, group: list[Shard]) -> list[RunSlice]:
        left = [
            RunSlice(Run(self._bucket, unanswered_key(shard)), shard.first, shard.last)
            for shard in group
            if shard.unfinished
        ]
        return [*self._runs(group, "errors", lambda attempt: attempt.failed), *left]

    def _reject_lines(self, before: int, last: int) -> list[RunSlice]:
        """Find the lines set aside that lie behind the group before and not behind this one."""
        return [
            RunSlice(run, max(first, before + 1), min(run.last, last), whole=False)
            for first, run in self._skipped
            if first <= last and run.last > before
        ]

    def _runs(self, group: list[Shard], name: str, lines: Callable[[Attempt], int]) -> list[RunSlice]:
        keys_of = [
            (object_keys.attempt(shard.batch_id, shard.shard, attempt.number, attempt.runs, name), shard)
            for shard in group
            for attempt in shard.attempts
            if lines(attempt)
        ]
        return [RunSlice(Run(self._bucket, key), shard.first, shard.last) for key, shard in keys_of]
