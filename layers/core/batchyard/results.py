"""The result of a batch: every line's outcome, in input order, from the runs its shards left."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter

from batchyard import keys, outcomes
from batchyard.adapters.objects import Objects
from batchyard.adapters.writer import Writer
from batchyard.batch import LineError
from batchyard.runs import Run
from batchyard.shard import Attempt, Shard
from batchyard.splitting import ShardLines
from batchyard.unfinished import Unfinished

Lines = Iterator[tuple[int, bytes]]

NO_REASON = LineError("server_error", "The request was not finished and its shard does not say why.")


@dataclass
class Tally:
    """What was written: lines of each result, and errors by code."""

    succeeded: int = 0
    failed: int = 0
    codes: "Counter[str]" = field(default_factory=Counter)


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


def write(
    objects: Objects, shards: Iterable[Shard], output: Writer, errors: Writer, aside: Sequence[tuple[int, Run]] = ()
) -> Tally:
    """Write every line's outcome to one of the two results, in input order; memory is bounded by a shard.

    `aside` are runs of error lines that belong to no shard, each with its first position.
    """
    tally = Tally()
    waiting = _Waiting(merged([(first, run.lines) for first, run in aside]))
    for group in groups(shards):
        _output(objects, group, output, tally)
        _errors(objects, group, errors, tally, waiting)
        for shard in group:
            tally.codes.update(shard.codes)
    for _, line in waiting.rest():
        errors.write(line)
        tally.failed += 1
    return tally


class _Waiting:
    """Lines in ascending position, handed out as far as they are due."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._next = next(lines, None)

    def until(self, last: int) -> Lines:
        """Yield the lines up to a position."""
        while self._next is not None and self._next[0] <= last:
            yield self._next
            self._next = next(self._lines, None)

    def rest(self) -> Lines:
        """Yield the lines that are left."""
        if self._next is not None:
            yield self._next
        yield from self._lines


def _output(objects: Objects, group: list[Shard], output: Writer, tally: Tally) -> None:
    runs = _runs(objects, group, "output", lambda attempt: attempt.succeeded)
    if len(runs) == 1:  # in order as it is
        [(_, run)] = runs
        tally.succeeded += run.copy_to(output)
        return
    for _, line in merged([(first, run.lines) for first, run in runs]):
        output.write(line)
        tally.succeeded += 1


def _errors(objects: Objects, group: list[Shard], errors: Writer, tally: Tally, waiting: _Waiting) -> None:
    parts = [(first, run.lines) for first, run in _runs(objects, group, "errors", lambda attempt: attempt.failed)]
    left = [(shard.first, partial(_left, objects, shard, tally)) for shard in group if shard.unfinished]
    aside = (0, partial(waiting.until, max(shard.last for shard in group)))
    for _, line in merged([*parts, *left, aside]):
        errors.write(line)
        tally.failed += 1


def merged(parts: list[tuple[int, Callable[[], Lines]]]) -> Lines:
    """Merge parts, each in ascending position and beginning at or after its number; each is opened only when it is due."""
    waiting = sorted(parts, key=itemgetter(0), reverse=True)
    due: list[tuple[int, int, bytes, Lines]] = []
    while waiting or due:
        while waiting and (not due or waiting[-1][0] <= due[0][0]):
            _, begin = waiting.pop()
            _push(due, len(waiting), begin())
        if due:
            position, order, line, rest = heapq.heappop(due)
            yield position, line
            _push(due, order, rest)


def _push(due: list[tuple[int, int, bytes, Lines]], order: int, rest: Lines) -> None:
    for position, line in rest:
        heapq.heappush(due, (position, order, line, rest))
        return


def _runs(objects: Objects, group: list[Shard], name: str, lines: Callable[[Attempt], int]) -> list[tuple[int, Run]]:
    return [
        (shard.first, Run(objects, keys.attempt(shard.batch_id, shard.shard, attempt.number, attempt.runs, name)))
        for shard in group
        for attempt in shard.attempts
        if lines(attempt)
    ]


def _left(objects: Objects, shard: Shard, tally: Tally) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that never got a final answer: with their last true error, or with the shard's reason."""
    lines = ShardLines.unpack(objects.get(keys.shard_lines(shard.batch_id, shard.shard)))
    ordinals = Unfinished.read(objects, shard.unfinished_key, len(lines)).ordinals
    last_errors: dict[int, bytes] = {}
    for _, run in _runs(objects, [shard], "transient", lambda attempt: attempt.transient):
        last_errors.update(run.lines())
    for ordinal in ordinals:
        position = lines.positions[ordinal]
        known = last_errors.get(position)
        line = known or outcomes.answer_line(
            shard.batch_id, position, lines.custom_ids[ordinal], shard.reason or NO_REASON
        )
        answer = outcomes.parse(line)
        outcomes.count_code(tally.codes, outcomes.code_of(answer) if answer else NO_REASON.code)
        yield position, line
