"""The results of a batch: the outcome of every line, in input order, from the runs that the shards left."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from batchyard.adapters.bucket import Bucket
from batchyard.adapters.object_writer import Begun, Writer
from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject
from batchyard.domain.shard import Shard, answer_runs
from batchyard.domain.step import TimeBudget
from batchyard.lines.merging import NOWHERE, MergedLines, MergeInput, RunBlock, Stretch, merged
from batchyard.lines.runs import Run
from batchyard.planning.taken_over import Taken
from batchyard.shards.unanswered_lines import put_unanswered

SkippedRuns = list[tuple[int, Run]]


class Tally(msgspec.Struct):
    """How many lines are written."""

    #: Lines of the output …
    succeeded: int = 0
    #: … and of the errors.
    failed: int = 0
    #: Errors by their code.
    codes: dict[str, int] = {}

    def count(self, codes: dict[str, int]) -> None:
        """Add errors by their code."""
        for code, lines in codes.items():
            self.codes[code] = self.codes.get(code, 0) + lines


class Result(msgspec.Struct, frozen=True):
    """A result as it lies in the bucket."""

    object: InputObject
    #: In hex; None if S3 copied some of the bytes, or several invocations wrote them.
    sha256: str | None


class ResultsProgress(msgspec.Struct, kw_only=True):
    """The checkpoint of the results: all that another process needs to go on."""

    #: The version of each shard when the results were begun.
    versions: list[int] = []
    #: The group that is being written; all groups before it are written.
    group: int = 0
    #: Shards of the group whose unanswered lines have a run.
    unanswered_shards: int = 0
    #: Whether the output of the group is written, and its errors are being written.
    output_written: bool = False
    #: The position of the last line that was merged into the result being written.
    after: int = -1
    #: Bytes that were copied into the result being written, where the group is one run.
    copied: int = 0
    tally: Tally = msgspec.field(default_factory=Tally)
    #: What is written of each result.
    output: Begun | None = None
    errors: Begun | None = None
    #: Whether both results are complete in the bucket.
    completed: bool = False


def groups(shards: Iterable[Shard]) -> Iterator[list[Shard]]:
    """Group shards whose positions interleave; each group lies wholly before the next group."""
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
    """The lines of a run from position `first` to `last`."""

    run: Run
    first: int
    last: int
    #: Whether these are all lines of the run.
    whole: bool = True

    def merge_input(self, after: int) -> MergeInput:
        """Make an input to merge of the lines behind position `after`."""
        blocks = partial(self.run.blocks, max(after, self.first - 1), self.last)
        return MergeInput(self.first, self.last, blocks)


class StretchSlice(NamedTuple):
    """Lines from position `first` to `last` without a gap, which S3 copies."""

    stretch: Stretch
    first: int
    last: int

    def merge_input(self, _: int) -> MergeInput:
        """Make an input to merge."""
        block = RunBlock(range(self.first, self.last + 1), (), b"", self.stretch)
        return MergeInput(self.first, self.last, lambda _: iter([block]))


class Results:
    """Write the outcome of every line to one of the two results, in input order, with the memory of a shard."""

    def __init__(
        self,
        bucket: Bucket,
        shards: Iterable[Shard],
        skipped_runs: SkippedRuns,
        taken_runs: list[Taken],
        progress: ResultsProgress,
        budget: TimeBudget,
    ) -> None:
        """Go on from `progress`, and keep it up to date but for `output` and `errors`.

        `skipped_runs` are the runs of skipped lines, each with its first position, and `taken_runs` the answers that are
        taken over: both belong to no shard.
        """
        self._bucket, self._groups = bucket, [*groups(shards), []]
        self._skipped, self._taken = skipped_runs, taken_runs
        self._progress, self._budget = progress, budget

    def write(self, output: Writer, errors: Writer) -> None:
        """Write up to the end; raises OutOfTime where the writers may be suspended and the progress is true."""
        before = -1
        for number, group in enumerate(self._groups):
            last = max((shard.last for shard in group), default=NOWHERE)
            if number >= self._progress.group:
                self._write(group, (before, last), output, errors)
            before = last

    def lines(self, after: int) -> Iterator[MergedLines]:
        """Yield every line behind position `after`, good or bad, in input order; `write` wrote the unanswered ones."""
        shards = [shard for group in self._groups for shard in group]
        own = [*self._output(shards), *self._errors(shards)]
        others = [*_between(self._skipped, -1, NOWHERE), *_taken_between(self._taken, -1, NOWHERE)]
        return merged(each.merge_input(after) for each in [*own, *others] if each.last > after)

    def _write(self, group: list[Shard], bounds: tuple[int, int], output: Writer, errors: Writer) -> None:
        progress = self._progress
        for shard in group[progress.unanswered_shards :]:
            self._budget.check()
            progress.tally.count(shard.codes)
            if shard.unfinished:
                progress.tally.count(put_unanswered(self._bucket, shard))
            progress.unanswered_shards += 1
        if not progress.output_written:
            self._append(output, [*self._output(group), *_taken_between(self._taken, *bounds)])
            self._move_on(output_written=True)
        self._append(errors, [*self._errors(group), *_between(self._skipped, *bounds)])
        self._move_on(output_written=False)
        progress.group, progress.unanswered_shards = progress.group + 1, 0
        self._budget.check()

    def _move_on(self, *, output_written: bool) -> None:
        self._progress.output_written, self._progress.after, self._progress.copied = output_written, -1, 0

    def _append(self, writer: Writer, slices: Sequence[RunSlice | StretchSlice]) -> None:
        """Append lines to a result; one whole run is copied, as its lines are in order."""
        if len(slices) == 1 and isinstance(slices[0], RunSlice) and slices[0].whole:
            self._copy(writer, slices[0].run)
            return
        after = self._progress.after
        for lines in merged(each.merge_input(after) for each in slices if each.last > after):
            if lines.stretch is None:
                writer.write(lines.data)
            else:
                stretch = lines.stretch
                writer.copy_range(stretch.source, stretch.start, stretch.size, stretch.crc32)
            self._count(lines.lines)
            self._progress.after = lines.last
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
        return self._runs(group, "output")

    def _errors(self, group: list[Shard]) -> list[RunSlice]:
        unanswered = [
            RunSlice(
                Run(self._bucket, object_keys.unanswered(shard.batch_id, shard.shard, shard.version)),
                shard.first,
                shard.last,
            )
            for shard in group
            if shard.unfinished
        ]
        return [*self._runs(group, "errors"), *unanswered]

    def _runs(self, group: list[Shard], name: str) -> list[RunSlice]:
        return [
            RunSlice(Run(self._bucket, run.key), shard.first, shard.last)
            for shard in group
            for run in answer_runs(shard)
            if run.name == name
        ]


def _between(runs: SkippedRuns, before: int, last: int) -> list[RunSlice]:
    """Find the lines behind position `before`, where the last group ends, and up to `last`, where this one ends."""
    return [
        RunSlice(run, max(first, before + 1), min(run.last, last), whole=False)
        for first, run in runs
        if first <= last and run.last > before
    ]


def _taken_between(taken_runs: list[Taken], before: int, last: int) -> list[RunSlice | StretchSlice]:
    """Find the answers that are taken over there; a group ends at a line that is sent, so never within a stretch."""
    return [
        StretchSlice(taken.lines, taken.first, taken.last)
        if isinstance(taken.lines, Stretch)
        else RunSlice(taken.lines, max(taken.first, before + 1), min(taken.last, last), whole=False)
        for taken in taken_runs
        if taken.first <= last and taken.last > before
    ]
