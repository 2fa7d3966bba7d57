"""Attempts that finished no line: after so many in a row, the lines that all of them sent fail.

A shard that is larger than the provider's room goes out in waves, the first lines of what is unfinished each time. The
lines behind a wave were not tried, so they go on.
"""

from typing import TYPE_CHECKING

from batchyard.domain import object_keys
from batchyard.domain.batch import BatchError
from batchyard.domain.shard import Shard, as_done, with_attempt_members, with_members
from batchyard.domain.step import Next, Step
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.shards.turn import Turn
from batchyard.shards.unanswered_lines import write_error_lines

if TYPE_CHECKING:
    from array import array


def save_stall(turn: Turn, stalled: Shard, reason: BatchError, wait: int = 0) -> Step:
    """Save the shard with its stall: it goes out again after `wait` seconds, or its lines fail if that was the last stall."""
    if stalled.stalls < turn.services.settings.max_attempts:
        turn.save_answered(stalled)
        return turn.then(Next.SUBMIT, wait)
    turn.fence()
    turn.save_answered(fail_lines(turn, stalled, reason))
    return turn.then(Next.DONE if turn.shard.done else Next.SUBMIT)


def fail_lines(turn: Turn, after: Shard, reason: BatchError) -> Shard:
    """Write the errors of the lines that were sent in vain, and return `after` without them; the turn is fenced.

    The shard is done, or goes on with the lines that were not among those.
    """
    sent = after.stalled_lines or after.unfinished
    if sent >= after.unfinished:
        return as_done(after, reason)
    bucket = turn.services.bucket
    lines = ShardLines.read(bucket, after.batch_id, after.shard)
    left, rest = Unfinished.read(bucket, after.unfinished_key, len(lines)), Unfinished.none()
    for ordinal, tries in left.beyond(sent):
        rest.add(ordinal, tries)
    codes = _write_errors(turn, after, lines, left.ordinals[:sent], reason)
    key = object_keys.attempt(*turn.shard.attempt_place, "behind.msgpack")
    bucket.put(key, rest.pack())
    ended = with_attempt_members(after, failed=sent, runs=turn.shard.version)
    return with_members(
        ended, unfinished=len(rest), unfinished_key=key, file_id=None, codes=codes, failed=after.failed + sent,
        stalls=0, stalled_lines=0,
    )  # fmt: skip


def _write_errors(
    turn: Turn, after: Shard, lines: ShardLines, ordinals: "array[int]", reason: BatchError
) -> dict[str, int]:
    """Write the last error of each line, and return the counts of errors by code."""
    codes, key = dict(after.codes), object_keys.attempt(*turn.shard.attempt_place, "errors")
    write_error_lines(turn.services.bucket, key, after, lines, ordinals, reason, codes)
    return codes
