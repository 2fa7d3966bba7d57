"""The result of a batch: every line's outcome, in input order, from the runs its shards left."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter

import msgspec

from batchyard import keys, outcomes
from batchyard.adapters.objects import Objects, Writer
from batchyard.batch import LineError
from batchyard.runs import Run
from batchyard.shard import Attempt, Shard
from batchyard.splitting import ShardLines
from batchyard.unfinished import Unfinished

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


def write(objects: Objects, shards: Iterable[Shard], output: Writer, errors: Writer) -> Tally:
    """Write every line's outcome to one of the two results, in input order; memory is bounded by a shard."""
    tally = Tally()
    for group in groups(shards):
        _output(objects, group, output)
        _errors(objects, group, errors, tally)
        for shard in group:
            tally.succeeded += sum(attempt.succeeded for attempt in shard.attempts)
            tally.codes.update(shard.codes)
    return tally


def answer_line(batch_id: str, position: int, custom_id: str, error: LineError) -> bytes:
    """Shape an error line as the provider would, for a request that has no answer of its own."""
    digest = hashlib.sha256(f"{batch_id}/{position}".encode()).hexdigest()
    line = {
        "id": f"batch_req_{digest[:32]}", "custom_id": custom_id, "response": None,
        "error": {"code": error.code, "message": error.message},
    }  # fmt: skip
    return msgspec.json.encode(line) + b"\n"


def _output(objects: Objects, group: list[Shard], output: Writer) -> None:
    runs = _runs(objects, group, "output", lambda attempt: attempt.succeeded)
    if len(runs) == 1:  # in order as it is
        for chunk in runs[0].chunks():
            output.write(chunk)
        return
    for _, line in heapq.merge(*(run.lines() for run in runs), key=itemgetter(0)):
        output.write(line)


def _errors(objects: Objects, group: list[Shard], errors: Writer, tally: Tally) -> None:
    written = [run.lines() for run in _runs(objects, group, "errors", lambda attempt: attempt.failed)]
    left = [_left(objects, shard, tally) for shard in group if shard.unfinished]
    for _, line in heapq.merge(*written, *left, key=itemgetter(0)):
        errors.write(line)
        tally.failed += 1


def _runs(objects: Objects, group: list[Shard], name: str, lines: Callable[[Attempt], int]) -> list[Run]:
    return [
        Run(objects, keys.attempt(shard.batch_id, shard.shard, attempt.number, name))
        for shard in group
        for attempt in shard.attempts
        if lines(attempt)
    ]


def _left(objects: Objects, shard: Shard, tally: Tally) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that never got a final answer: with their last true error, or with the shard's reason."""
    lines = ShardLines.unpack(objects.get(keys.shard_lines(shard.batch_id, shard.shard)))
    ordinals = Unfinished.read(objects, shard.unfinished_key, len(lines)).ordinals
    last_errors: dict[int, bytes] = {}
    for run in _runs(objects, [shard], "transient", lambda attempt: attempt.transient):
        last_errors.update(run.lines())
    for ordinal in ordinals:
        position = lines.positions[ordinal]
        known = last_errors.get(position)
        line = known or answer_line(shard.batch_id, position, lines.custom_ids[ordinal], shard.reason or NO_REASON)
        answer = outcomes.parse(line)
        tally.codes[outcomes.code_of(answer) if answer else NO_REASON.code] += 1
        yield position, line
