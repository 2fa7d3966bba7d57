"""Attempts that finished no line: they are counted, and after so many in a row the lines that all of them sent are given up.

A shard that is larger than the provider's room goes out in waves, the first lines of what is unfinished each time. Those
behind a wave were not tried, so they go on.
"""

from typing import TYPE_CHECKING, Final

from batchyard.domain import object_keys, outcomes
from batchyard.domain.batch import BatchError, window_seconds
from batchyard.domain.shard import Shard, change, change_attempt, finish
from batchyard.domain.stopping import WAITED_FOR
from batchyard.lines.runs import RunWriter
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.services import Services
from batchyard.shards.unanswered import last_words

if TYPE_CHECKING:
    from array import array

# How a provider batch ends that the provider, or we, gave no more time.
OUT_OF_TIME: Final = frozenset({"expired", "cancelled"})


def is_stall(status: str, ran: float, window: str) -> bool:
    """Tell whether an attempt that finished no line after so many seconds counts: its window being over costs none."""
    return status not in OUT_OF_TIME or ran < WAITED_FOR * window_seconds(window)


def with_stall(shard: Shard) -> Shard:
    """Return the shard with its latest attempt counted as one that finished no line."""
    sent = min(filter(None, (shard.stalled_lines, shard.attempts[-1].lines)), default=0)
    return change(shard, stalls=shard.stalls + 1, stalled_lines=sent)


def fail_lines(services: Services, before: Shard, after: Shard, reason: BatchError) -> Shard:
    """Return `after` without the lines that were sent in vain: it is done, or goes on with those that were not among them.

    `before` is the record as this worker has fenced it.
    """
    sent = after.stalled_lines or after.unfinished
    if sent >= after.unfinished:
        return finish(after, reason)
    lines = ShardLines.read(services.bucket, after.batch_id, after.shard)
    left, rest = Unfinished.read(services.bucket, after.unfinished_key, len(lines)), Unfinished.none()
    for ordinal, tries in left.beyond(sent):
        rest.add(ordinal, tries)
    codes = _written(services, before, after, lines, left.ordinals[:sent], reason)
    key = object_keys.attempt(*before.attempt_place, "behind.msgpack")
    services.bucket.put(key, rest.pack())
    ended = change_attempt(after, failed=sent, runs=before.version)
    return change(
        ended, unfinished=len(rest), unfinished_key=key, file_id=None, codes=codes, failed=after.failed + sent,
        stalls=0, stalled_lines=0,
    )  # fmt: skip


def _written(
    services: Services, before: Shard, after: Shard, lines: ShardLines, ordinals: "array[int]", reason: BatchError
) -> dict[str, int]:
    codes = dict(after.codes)
    with RunWriter(services.bucket, object_keys.attempt(*before.attempt_place, "errors")) as run:
        for position, line in last_words(services.bucket, after, lines, ordinals, reason):
            answer = outcomes.parse(line)
            outcomes.count_code(codes, outcomes.code_of(answer) if answer else reason.code)
            run.write(position, line)
    return codes
