"""What a shard does when the provider refuses its batch, at the create or later with its problems and without any answer.

Nothing ran then, and nothing was paid.
"""

import math
from collections.abc import Callable
from itertools import takewhile
from typing import Final

from batch_client import BatchClientError, Look
from batch_client import BatchError as ProviderBatchError
from batchyard.domain import object_keys
from batchyard.domain.attempt import End
from batchyard.domain.batch import BatchError
from batchyard.domain.outcomes import answer_line, count_code
from batchyard.domain.policy import (
    FILE_TOO_LARGE,
    LONGEST_CODE,
    Reaction,
    after_failed_batch,
    after_failed_call,
    is_sure_refusal,
    what_failed,
)
from batchyard.domain.shard import Shard, with_attempt_members, with_files_to_delete, with_members, with_stall
from batchyard.domain.step import Next, Step
from batchyard.lines.runs import RunWriter
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.observability import logger
from batchyard.shards import attempt_end, failed_calls, token_room, too_large
from batchyard.shards.pauses import ENDLESS, SEE_TO_ACCOUNT, WANTS_OPERATOR, sentences
from batchyard.shards.token_room import Refusal
from batchyard.shards.turn import Turn

WAITS: Final = {
    Reaction.PAUSE: (WANTS_OPERATOR, SEE_TO_ACCOUNT),
    Reaction.REUSE: ("The provider has no room", "Wait, or ask the provider for a higher limit."),
    Reaction.UPLOAD: ("The provider does not see the uploaded file", "If it lasts, ask the provider."),
}
# So often a line is sent alone before it is taken for larger than the limit: others may fill the queue that we do not see.
ALONE_IF_STATED, ALONE_IF_NOT = 3, 8
PATIENCE_ALONE: Final = 4
ErrorOf = Callable[[int, int], BatchError | None]  # of a line, by its place among the unfinished lines and its bytes
LONGEST_MESSAGE: Final = 300  # characters of a pause's reason
LONGEST_SAID: Final = 1_000  # characters of what is kept of an error's code, message and param
MOST_ROUNDS: Final = 10  # of rejecting lines, before one code that is always the reason is taken for that of all


def react_to_failed_batch(turn: Turn, seen: Look) -> Step:
    """End the attempt and react to the provider's errors as the policy says."""
    errors = [_batch_error(error) for error in seen.problems]
    base, refused = (
        with_files_to_delete(turn.shard, *seen.results),
        _refused_in_a_row(turn.shard),
    )
    reaction = after_failed_batch(errors)
    decisive = next((error for error in errors if after_failed_batch([error]) is reaction), None)
    codes = sorted({error.code for error in errors})
    logger.warning("provider batch failed", batch_id=base.batch_id, shard=base.shard, reaction=reaction, codes=codes)
    if reaction is Reaction.REJECT_LINES:
        return _reject_lines(turn, base, errors)
    if reaction is Reaction.CUT:
        what = decisive or errors[0]
        return _send_less(turn, base, f"the provider failed the batch {seen.id}: {what.message}", what.code)
    if reaction is Reaction.REUSE:
        refusal = token_room.record_refused(turn.services, base, (error.message for error in errors), refused)
        if _never_fits(base, refusal):
            return _reject_lines(turn, base, [_too_large(base, refusal)])
        base = _smaller(base, refusal, refused)
    ended = _as_failed(turn, base)
    if reaction not in WAITS or (reaction is Reaction.UPLOAD and refused > failed_calls.MOST_FAILURES_IN_A_ROW):
        return _stall(turn, ended, errors)
    after = with_members(ended, file_id=None) if reaction is Reaction.UPLOAD else ended
    turn.failed(after, _why_failed(turn, reaction, decisive or errors[0]))
    return turn.then(Next.SUBMIT, turn.retry_wait(_failed_in_a_row(turn.shard)))


def _why_failed(turn: Turn, reaction: Reaction, error: BatchError) -> str:
    """Say what a shard waits for whose provider batches fail."""
    head, remedy = WAITS[reaction]
    failed = list(takewhile(lambda attempt: attempt.end is End.FAILED, reversed(turn.shard.attempts)))
    since = failed[-1].ended_at if failed else None
    name, code = turn.attempt.provider_batch_id, error.code[:LONGEST_CODE]
    what = f"{head}: the provider failed the batch {name} ({code}): {error.message[:LONGEST_MESSAGE]}"
    most = f"up to {failed_calls.MOST_FAILURES_IN_A_ROW} times in a row" if reaction is Reaction.UPLOAD else ENDLESS
    return sentences(turn, what, since or turn.services.now(), "sends the lines again", most, remedy)


def react_to_refused_create(turn: Turn, call: str, error: BatchClientError) -> Step:
    """Take a failed upload or create: learn from it if there was no room, and release what was reserved."""
    after = turn.shard
    if after_failed_call(error) is Reaction.CUT and not too_large.is_doubtful(turn, error.code):
        base = with_attempt_members(after, creating_at=None, lost_at=None)
        return _send_less(turn, base, what_failed(call, error), error.code)
    if after_failed_call(error) is Reaction.REUSE:
        refused = turn.shard.failures_in_a_row + 1
        refusal = token_room.record_refused(turn.services, turn.shard, [error.message], refused)
        if _never_fits(turn.shard, refusal):
            return _reject_lines(turn, turn.shard, [_too_large(turn.shard, refusal)])
        after = _smaller(turn.shard, refusal, refused)
    unmade = turn.attempt.creating_at is None or is_sure_refusal(error)
    following = failed_calls.retry_create(turn, call, error, after)
    if unmade and following.next is not Next.DONE:
        token_room.release(turn.services, turn.shard, ended=False)
    return following


def _never_fits(shard: Shard, refusal: Refusal) -> bool:
    """Tell whether the one line that was sent alone is the reason, for all we can know: others may fill the queue, too."""
    attempt = shard.attempts[-1]
    if attempt.lines > 1 or not refusal.alone or max(attempt.bytes, attempt.tokens) < (refusal.limit or math.inf):
        return False
    before = takewhile(lambda past: past.end is End.FAILED and past.lines == 1, reversed(shard.attempts[:-1]))
    alone = 1 + max(sum(1 for _ in before), shard.failures_in_a_row)
    return alone >= (ALONE_IF_STATED if refusal.stated else ALONE_IF_NOT)


def _too_large(shard: Shard, refusal: Refusal) -> BatchError:
    size = f"This request of {shard.attempts[-1].bytes:,} bytes alone is more than the provider takes"
    message = f"{size} for {shard.model}: {refusal.limit:,} enqueued tokens. Shorten it, or ask for a higher limit."
    return BatchError("token_limit_exceeded", message, None, 1)


def _smaller(shard: Shard, refusal: Refusal, in_a_row: int) -> Shard:
    """Have less sent at once, when what should fit is refused time after time though nothing else of ours is there."""
    if in_a_row > PATIENCE_ALONE and refusal.unexpected and refusal.alone:
        return with_members(shard, wave=max(1, shard.attempts[-1].tokens // 2))
    return shard


def _failed_in_a_row(shard: Shard) -> int:
    """Count the latest attempts that failed whole; `failures_in_a_row` cannot: every call that works resets it."""
    return sum(1 for _ in takewhile(lambda attempt: attempt.end is End.FAILED, reversed(shard.attempts)))


def _refused_in_a_row(shard: Shard) -> int:
    """Count the attempt under way, which was refused, and those before it that failed whole."""
    return 1 + _failed_in_a_row(with_members(shard, attempts=shard.attempts[:-1]))


def _as_failed(turn: Turn, base: Shard) -> Shard:
    """Return the shard with its attempt ended whole, under the provider's own word if it said one."""
    said = base.attempts[-1].provider_status or End.FAILED.value
    return with_attempt_members(base, provider_status=said, end=End.FAILED, ended_at=turn.services.now())


def _stall(turn: Turn, ended: Shard, errors: list[BatchError]) -> Step:
    reason = errors[0] if errors else BatchError("batch_failed", "The provider failed the batch and did not say why.")
    stalled = with_stall(with_members(ended, file_id=None))
    return attempt_end.save_stall(turn, stalled, reason, turn.retry_wait(stalled.stalls))


def _send_less(turn: Turn, base: Shard, what: str, code: str | None) -> Step:
    """Cut what was sent, as it is too much; or make an error of the one line, and of all for which the same is sure."""
    size = turn.attempt.bytes
    if not too_large.can_be_cut(turn):
        error = too_large.error_of_line(turn, what, code)
        by_size = error.code == FILE_TOO_LARGE
        return _reject(
            turn, too_large.with_size(base, size), [error],
            lambda index, bytes_: error if (bytes_ >= size if by_size else index == 0) else None,
        )  # fmt: skip
    failed = turn.attempt.provider_batch_id is not None
    ended = _as_failed(turn, base) if failed else base
    following = too_large.cut(turn, ended, code)
    token_room.release(turn.services, turn.shard, ended=failed)
    return following


def _reject_lines(turn: Turn, base: Shard, errors: list[BatchError]) -> Step:
    """Make errors of the lines that the provider names, and have the rest sent again."""
    # It names a few of many each time, for a reason that is that of all.
    all_alike = _refused_in_a_row(base) >= MOST_ROUNDS and len({error.code for error in errors}) == 1
    of_all, sent = errors[0] if all_alike else None, turn.attempt.lines
    named = {error.line - 1: error for error in errors if error.line}
    return _reject(turn, base, errors, lambda index, _: named.get(index, of_all) if index < sent else None)


def _reject(turn: Turn, base: Shard, errors: list[BatchError], error_of: ErrorOf) -> Step:
    """Make errors of lines, and have the rest sent again."""
    rounds, codes = _refused_in_a_row(base), dict(base.codes)
    turn.fence()
    rejected, rest = _write_rejected(turn, error_of, codes)
    ended = with_attempt_members(_as_failed(turn, base), failed=rejected, runs=turn.shard.version)
    if not rejected:  # the lines it names are not in the file
        return _stall(turn, ended, errors)
    key = object_keys.attempt(*turn.shard.attempt_place, "unfinished.msgpack")
    turn.services.bucket.put(key, rest.pack())
    after = with_members(
        ended, unfinished=len(rest), unfinished_key=key, file_id=None, codes=codes,
        failed=base.failed + rejected, stalls=0, stalled_lines=0,
    )  # fmt: skip
    if not len(rest):
        return turn.end(after, errors[0])
    turn.save_answered(after)
    return turn.then(Next.SUBMIT, turn.retry_wait(rounds) if rounds > 1 else 0)


def _write_rejected(turn: Turn, error_of: ErrorOf, codes: dict[str, int]) -> tuple[int, Unfinished]:
    """Write the lines that have an error, counting them in `codes`; answer how many those were, and the rest."""
    bucket, shard = turn.services.bucket, turn.shard
    lines = ShardLines.read(bucket, shard.batch_id, shard.shard)
    sent = Unfinished.read(bucket, shard.unfinished_key, len(lines))
    rest = Unfinished.none()
    with RunWriter(bucket, object_keys.attempt(*shard.attempt_place, "errors")) as rejected:
        for index, (ordinal, tries, lost) in enumerate(sent.beyond(0)):
            error = error_of(index, lines.sizes[ordinal])
            if error is None:
                rest.add(ordinal, tries, lost)
                continue
            position = lines.positions[ordinal]
            rejected.write(position, answer_line(shard.batch_id, position, lines.custom_ids[ordinal], error))
            count_code(codes, error.code)
    return len(rejected), rest


def _batch_error(error: ProviderBatchError) -> BatchError:
    """Take a provider's error, as much of it as the records of the shard and its batch have room for."""
    code, message, param = ((text or "")[:LONGEST_SAID] for text in (error.code, error.message, error.param))
    return BatchError(code or "unknown", message, param or None, error.line)
