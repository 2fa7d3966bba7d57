"""What a shard does when a call to the provider fails."""

from typing import Final

from batch_client import APIStatusError, BatchClientError
from batchyard.batch import LineError
from batchyard.log import logger
from batchyard.pacing import retry_wait
from batchyard.policy import Move, after_failed_call
from batchyard.shard import Shard, Step, change, change_attempt, finish
from batchyard.yard import Yard

MOST_SETBACKS: Final = 100  # in a row, before a shard is given up: most of a day with the usual waits
TOLD_AFTER: Final = 3  # in a row, before the batch tells that it waits


def wait_after(yard: Yard, setbacks: int, asked: float | None = None) -> int:
    """Answer the seconds to wait after so many setbacks in a row, or what the provider asked for if longer; capped."""
    floor, ceiling = yard.settings.retry_floor_seconds, yard.settings.retry_ceiling_seconds
    return max(retry_wait(setbacks, floor, ceiling, yard.chance()), min(int(asked or 0), ceiling))


def after_create(yard: Yard, step: Step, error: BatchClientError) -> Step:
    """Take a failed upload or `POST /batches`: try again later, pause, or give the shard up."""
    shard = _noted(yard, step, error)
    move = after_failed_call(error)
    if isinstance(error, APIStatusError) and not error.retryable and shard.attempts:
        shard = yard.records.save_shard(shard, change_attempt(shard, creating_at=None))  # a refusal made no batch
    tired = move is not Move.PAUSE and shard.setbacks > MOST_SETBACKS  # whoever pays may come on Monday
    if move is Move.GIVE_UP or tired:
        return _give_up(yard, shard, step, error)
    if move is Move.UPLOAD:
        shard = yard.records.save_shard(shard, change(shard, file_id=None))
    return step.then("submit", wait_after(yard, shard.setbacks, error.retry_after))


def after_read(yard: Yard, step: Step, error: BatchClientError) -> Step:
    """Take a failed look at a provider batch or its files: the same again later, for what was paid for is there."""
    shard = _noted(yard, step, error)
    if shard.setbacks > MOST_SETBACKS:
        return _give_up(yard, shard, step, error)
    return step.then(step.next, wait_after(yard, shard.setbacks, error.retry_after))


def save_after_answer(yard: Yard, before: Shard, after: Shard) -> Shard:
    """Save a shard whose provider answers: its setbacks are over, and so is the pause it had put on the batch."""
    if before.paused:
        yard.records.change_batch(before.batch_id, paused=None)
    return yard.records.save_shard(before, change(after, setbacks=0, paused=None))


def pause(yard: Yard, shard: Shard, after: Shard, reason: str) -> Shard:
    """Save a shard that waits, with the batch telling why: nothing goes on before the provider serves us again."""
    yard.records.change_batch(shard.batch_id, paused=reason)
    return yard.records.save_shard(shard, change(after, paused=reason, setbacks=shard.setbacks + 1))


def _give_up(yard: Yard, shard: Shard, step: Step, error: BatchClientError) -> Step:
    code = error.code or "provider_unavailable"
    reason = LineError(code, f"The provider did not serve this request's batch: {error}")
    save_after_answer(yard, shard, finish(shard, reason))
    return step.then("done")


def _noted(yard: Yard, step: Step, error: BatchClientError) -> Shard:
    shard = yard.records.shard(step.batch_id, step.shard)
    if shard is None:
        raise error
    setbacks = shard.setbacks + 1
    logger.warning(
        "provider call failed", batch_id=step.batch_id, shard=step.shard, error=type(error).__name__,
        status=error.status, code=error.code, request_id=error.request_id, setbacks=setbacks,
    )  # fmt: skip
    if after_failed_call(error) is Move.PAUSE:
        return pause(yard, shard, shard, f"The provider refused us: {error}")
    if setbacks >= TOLD_AFTER:
        return pause(yard, shard, shard, f"The provider has not served us {setbacks} times in a row: {error}")
    return yard.records.save_shard(shard, change(shard, setbacks=setbacks))
