"""What a shard does when a call to the provider fails."""

from typing import Final

from batch_client import APIStatusError, BatchClientError
from batchyard.batch import LineError
from batchyard.log import logger
from batchyard.pacing import retry_wait
from batchyard.policy import Move, after_failed_call
from batchyard.shard import Shard, Step, change, change_attempt, finish
from batchyard.yard import Yard

MOST_SETBACKS: Final = 100


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
    if move is Move.GIVE_UP or shard.setbacks > MOST_SETBACKS:
        reason = LineError(error.code or "server_error", f"The provider did not take the request's batch: {error}")
        yard.records.save_shard(shard, finish(shard, reason))
        return step.then("done")
    if move is Move.UPLOAD:
        yard.records.save_shard(shard, change(shard, file_id=None))
    return step.then("submit", wait_after(yard, shard.setbacks, error.retry_after))


def after_read(yard: Yard, step: Step, error: BatchClientError) -> Step:
    """Take a failed look at a provider batch or its files: the same again later, for what was paid for is there."""
    shard = _noted(yard, step, error)
    return step.then(step.next, wait_after(yard, shard.setbacks, error.retry_after))


def resume(yard: Yard, shard: Shard, **changes: object) -> Shard:
    """Record changes after the provider answered again: no setbacks, and no pause of the batch."""
    if shard.paused:
        yard.records.change_batch(shard.batch_id, paused=None)
    return yard.records.save_shard(shard, change(shard, setbacks=0, paused=None, **changes))


def pause(yard: Yard, shard: Shard, reason: str, after: Shard | None = None) -> Shard:
    """Record that nothing goes on before an operator acts; we still look now and then. `after` has other changes."""
    yard.records.change_batch(shard.batch_id, paused=reason)
    paused = change(after or shard, paused=reason, setbacks=shard.setbacks + 1)
    return yard.records.save_shard(shard, paused)


def _noted(yard: Yard, step: Step, error: BatchClientError) -> Shard:
    shard = yard.records.shard(step.batch_id, step.shard)
    if shard is None:
        raise error
    logger.warning(
        "provider call failed", batch_id=step.batch_id, shard=step.shard, error=type(error).__name__,
        status=error.status, code=error.code, request_id=error.request_id, setbacks=shard.setbacks + 1,
    )  # fmt: skip
    if after_failed_call(error) is Move.PAUSE:
        return pause(yard, shard, f"The provider refused us: {error}")
    return yard.records.save_shard(shard, change(shard, setbacks=shard.setbacks + 1))
