"""What a shard does when its provider batch ended `failed` without an answer: nothing ran and nothing was paid."""

import math
from itertools import takewhile
from typing import Final

from batch_client import Batch as ProviderBatch
from batch_client import BatchClientError
from batch_client import BatchError as ProviderBatchError
from batchyard.domain import object_keys
from batchyard.domain.batch import BatchError
from batchyard.domain.outcomes import answer_line, count_code
from batchyard.domain.policy import Reaction, after_failed_batch, after_failed_call
from batchyard.domain.shard import Shard, Step, change, change_attempt, discard, finish
from batchyard.lines.runs import RunWriter
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import pauses, retries, stalls, token_room
from batchyard.shards.token_room import Refusal

WAITS: Final = {
    Reaction.PAUSE: "The provider wants its operator",
    Reaction.REUSE: "The provider has no room",
    Reaction.UPLOAD: "The provider does not see the uploaded file",
}
# So often a line is sent alone before it is taken for larger than the limit: others may fill the queue that we do not see.
ALONE_IF_STATED, ALONE_IF_NOT = 3, 8
PATIENCE_ALONE: Final = 4
LONGEST_MESSAGE: Final = 300  # characters of a pause's reason
LONGEST_SAID: Final = 1_000  # characters of what is kept of an error's code, message and param
MOST_ROUNDS: Final = 10  # of setting lines aside, before one code that is always the reason is taken for that of all


def after_failed(services: Services, shard: Shard, seen: ProviderBatch, step: Step) -> Step:
    """End the attempt and make the move the policy has for the provider's errors."""
    errors, shard = (
        [_batch_error(error) for error in seen.errors],
        discard(shard, seen.output_file_id, seen.error_file_id),
    )
    reaction = after_failed_batch(errors)
    logger.warning(
        "provider batch failed",
        batch_id=shard.batch_id,
        shard=shard.shard,
        reaction=reaction,
        codes=sorted({e.code for e in errors}),
    )
    if reaction is Reaction.REJECT_LINES:
        return _reject_lines(services, shard, errors, step)
    if reaction is Reaction.REUSE:
        refusal = token_room.record_refused(
            services, shard, (error.message for error in errors), _refused_in_a_row(shard)
        )
        if _never_fits(shard, refusal):
            return _reject_lines(services, shard, [_too_large(shard, refusal)], step)
        shard = _smaller(shard, refusal, _refused_in_a_row(shard))
    ended = change_attempt(shard, provider_status="failed", ended_at=services.now())
    if reaction not in WAITS or (
        reaction is Reaction.UPLOAD and _refused_in_a_row(shard) > retries.MOST_FAILURES_IN_A_ROW
    ):
        return _stall(services, shard, ended, errors, step)
    after = change(ended, file_id=None) if reaction is Reaction.UPLOAD else ended
    waiting = pauses.pause(services, shard, after, f"{WAITS[reaction]}: {errors[0].message[:LONGEST_MESSAGE]}")
    return step.then("submit", retries.wait_after(services, _failed_in_a_row(waiting)))


def after_refused_create(services: Services, shard: Shard, step: Step, error: BatchClientError) -> Step:
    """Take a failed upload or `POST /batches`: learn from it if there was no room, and give back what was claimed."""
    if after_failed_call(error) is Reaction.REUSE:
        refusal = token_room.record_refused(services, shard, [error.message], shard.failures_in_a_row + 1)
        if _never_fits(shard, refusal):
            following = _reject_lines(services, shard, [_too_large(shard, refusal)], step)
            token_room.release_ended(services, shard.batch_id, shard.shard)
            return following
        shard = _smaller(shard, refusal, shard.failures_in_a_row + 1)
    following = retries.after_create(services, shard, step, error)
    if following.next == "done":
        token_room.release_ended(services, shard.batch_id, shard.shard)
    elif shard.attempts[-1].creating_at is None or retries.is_sure_refusal(error):
        token_room.release(services, shard, ended=False)
    return following


def _never_fits(shard: Shard, refusal: Refusal) -> bool:
    """Tell whether the one line that was sent alone is the reason, for all we can know: others may fill the queue, too."""
    attempt = shard.attempts[-1]
    if attempt.lines > 1 or not refusal.alone or max(attempt.bytes, attempt.tokens) < (refusal.limit or math.inf):
        return False
    before = takewhile(lambda past: past.provider_status == "failed" and past.lines == 1, reversed(shard.attempts[:-1]))
    alone = 1 + max(sum(1 for _ in before), shard.failures_in_a_row)
    return alone >= (ALONE_IF_STATED if refusal.stated else ALONE_IF_NOT)


def _too_large(shard: Shard, refusal: Refusal) -> BatchError:
    size = f"This request of {shard.attempts[-1].bytes:,} bytes alone is more than the provider takes"
    message = f"{size} for {shard.model}: {refusal.limit:,} enqueued tokens. Shorten it, or ask for a higher limit."
    return BatchError("token_limit_exceeded", message, None, 1)


def _smaller(shard: Shard, refusal: Refusal, in_a_row: int) -> Shard:
    """Have less sent at once, when what should fit is refused time after time though nothing else of ours is there."""
    if in_a_row > PATIENCE_ALONE and refusal.unexpected and refusal.alone:
        return change(shard, wave=max(1, shard.attempts[-1].tokens // 2))
    return shard


def _failed_in_a_row(shard: Shard) -> int:
    """Count the latest attempts that failed whole; `setbacks` cannot, for every call that works sets it back to none."""
    return sum(1 for _ in takewhile(lambda attempt: attempt.provider_status == "failed", reversed(shard.attempts)))


def _refused_in_a_row(shard: Shard) -> int:
    """Count the attempt under way, which was refused, and those before it that failed whole."""
    return 1 + _failed_in_a_row(change(shard, attempts=shard.attempts[:-1]))


def _stall(services: Services, shard: Shard, ended: Shard, errors: list[BatchError], step: Step) -> Step:
    stalled = stalls.with_stall(change(ended, file_id=None))
    if stalled.stalls < services.settings.max_attempts:
        pauses.save_answered(services, shard, stalled)
        return step.then("submit", retries.wait_after(services, stalled.stalls))
    reason = errors[0] if errors else BatchError("batch_failed", "The provider failed the batch and did not say why.")
    shard = services.batch_store.fence(shard)
    after = stalls.fail_lines(services, shard, stalled, reason)
    pauses.save_answered(services, shard, after)
    return step.then("done" if after.done else "submit")


def _reject_lines(services: Services, shard: Shard, errors: list[BatchError], step: Step) -> Step:
    """Make errors of the lines that the provider names, and have the rest sent again."""
    rounds, codes = _refused_in_a_row(shard), dict(shard.codes)
    # It names a few of many each time, for a reason that is that of all.
    of_all = errors[0] if rounds >= MOST_ROUNDS and len({error.code for error in errors}) == 1 else None
    shard = services.batch_store.fence(shard)
    refused, rest = _parted(services, shard, errors, of_all, codes)
    ended = change_attempt(shard, provider_status="failed", ended_at=services.now(), failed=refused, runs=shard.version)
    if not refused:  # the lines it names are not in the file
        return _stall(services, shard, ended, errors, step)
    key = object_keys.attempt(*shard.attempt_place, "unfinished.msgpack")
    services.bucket.put(key, rest.pack())
    after = change(
        ended, unfinished=len(rest), unfinished_key=key, file_id=None, codes=codes,
        failed=shard.failed + refused, stalls=0, stalled_lines=0,
    )  # fmt: skip
    if not len(rest):
        pauses.save_answered(services, shard, finish(after, errors[0]))
        return step.then("done")
    pauses.save_answered(services, shard, after)
    return step.then("submit", retries.wait_after(services, rounds) if rounds > 1 else 0)


def _parted(
    services: Services, shard: Shard, errors: list[BatchError], of_all: BatchError | None, codes: dict[str, int]
) -> tuple[int, Unfinished]:
    """Write the lines that errors name, counting them in `codes`; answer how many those were, and the rest.

    With an error `of_all`, it is that of every line that was sent.
    """
    lines = ShardLines.read(services.bucket, shard.batch_id, shard.shard)
    sent = Unfinished.read(services.bucket, shard.unfinished_key, len(lines))
    named = {error.line - 1: error for error in errors if error.line}
    rest = Unfinished.none()
    with RunWriter(services.bucket, object_keys.attempt(*shard.attempt_place, "errors")) as refused:
        for index, (ordinal, tries) in enumerate(zip(sent.ordinals, sent.tries, strict=True)):
            error = named.get(index, of_all) if index < shard.attempts[-1].lines else None
            if error is None:
                rest.add(ordinal, tries)
                continue
            position = lines.positions[ordinal]
            refused.write(position, answer_line(shard.batch_id, position, lines.custom_ids[ordinal], error))
            count_code(codes, error.code)
    return len(refused), rest


def _batch_error(error: ProviderBatchError) -> BatchError:
    """Take a provider's error, as much of it as the records of the shard and its batch have room for."""
    code, message, param = ((text or "")[:LONGEST_SAID] for text in (error.code, error.message, error.param))
    return BatchError(code or "unknown", message, param or None, error.line)
