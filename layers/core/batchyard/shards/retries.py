"""What a shard does when a call to the provider fails.

from batchyard.shards import pauses
from batchyard.shards import pauses
from batchyard.shards.pauses import pause, save_after_answer
Each function takes the shard as it was when the call was made: if another worker has moved it since, the write fails.
"""

from typing import Final

from batch_client import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    BatchClientError,
    ConflictError,
    InvalidArgumentError,
    ServerError,
)
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import NotFound
from batchyard.domain.outcomes import LONGEST_CODE
from batchyard.domain.pacing import retry_wait
from batchyard.domain.policy import Reaction, after_failed_call
from batchyard.domain.shard import Shard, Step, change, change_attempt, finish
from batchyard.domain.stopping import CANCELLED, why_stopped
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import pauses

MOST_FAILURES_IN_A_ROW: Final = 100  # in a row, before a shard that cannot be sent is given up: most of a day
BOUNDED: Final = frozenset({Reaction.RETRY, Reaction.UPLOAD})  # what waits for room or an operator may take longer
A_DAY_OF_LOOKS: Final = 240  # in a row, the first hundred of them within READ_CEILING of each other
READ_CEILING: Final = 60  # seconds between looks at a provider that does not answer
REQUEST_TIMEOUT: Final = 408
INVALID_KEY: Final = "invalid_api_key"
TOLD_AFTER: Final = 3  # in a row, before the batch tells that it waits


def wait_after(services: Services, failures_in_a_row: int, asked: float | None = None, most: int | None = None) -> int:
    """Answer the seconds to wait after so many setbacks in a row, or what the provider asked for if longer; capped."""
    floor, ceiling = services.settings.retry_floor_seconds, most or services.settings.retry_ceiling_seconds
    return max(retry_wait(failures_in_a_row, floor, ceiling, services.chance()), min(int(asked or 0), ceiling))


def after_create(services: Services, shard: Shard, step: Step, error: BatchClientError) -> Step:
    """Take a failed upload or `POST /batches`: try again later, pause, or give the shard up."""
    reaction = after_failed_call(error)
    after = shard
    if is_sure_refusal(error):
        after = change_attempt(shard, creating_at=None, lost_at=None)  # a refusal made no batch
    if reaction is Reaction.UPLOAD:
        after = change(after, file_id=None)
    if reaction is Reaction.FAIL_LINES or (reaction in BOUNDED and shard.failures_in_a_row >= MOST_FAILURES_IN_A_ROW):
        return _fail_shard(services, shard, after, step, error)
    return _wait(services, shard, after, step.then("submit"), error)


def after_read(services: Services, shard: Shard, after: Shard, step: Step, error: BatchClientError) -> Step:
    """Take a failed look at a provider batch or its files: the same again later, for what was paid for is there.

    Only of a shard of which nothing more is sent it is not awaited for ever: whoever cancels wants an end, and nobody else
    ends one that was given up.
    """
    stopped = (
        why_stopped(services.batch_store.batch(shard.batch_id), shard)
        if shard.failures_in_a_row >= MOST_FAILURES_IN_A_ROW
        else None
    )
    if stopped is not None and (stopped == CANCELLED or shard.failures_in_a_row >= A_DAY_OF_LOOKS):
        pauses.save_answered(services, shard, finish(after, stopped))
        return step.then("done")
    patient = (
        shard.failures_in_a_row > MOST_FAILURES_IN_A_ROW
    )  # looking costs nothing, so first often, then as rarely as anything
    return _wait(services, shard, after, step, error, None if patient else READ_CEILING)


def is_sure_refusal(error: BatchClientError) -> bool:
    """Tell whether a `POST /batches` made no batch: a timeout, a conflict or a failing server may come after the effect.

    The same goes for what was never sent: without a line to the provider, or with a key that no header can carry.
    """
    if isinstance(error, APIConnectionError):
        return not error.sent
    unsure = isinstance(error, ServerError | ConflictError) or error.status == REQUEST_TIMEOUT
    return isinstance(error, APIStatusError | InvalidArgumentError) and not unsure


def is_key_refused(error: BatchClientError) -> bool:
    """Tell whether the provider does not take the key, which no waiting mends."""
    return isinstance(error, AuthenticationError) or error.code == INVALID_KEY


def _wait(
    services: Services, shard: Shard, after: Shard, step: Step, error: BatchClientError, most: int | None = None
) -> Step:
    failures_in_a_row, reaction = shard.failures_in_a_row + 1, after_failed_call(error)
    logger.warning(
        "provider call failed", batch_id=shard.batch_id, shard=shard.shard, error=type(error).__name__,
        status=error.status, code=error.code, request_id=error.request_id, failures_in_a_row=failures_in_a_row,
    )  # fmt: skip
    if reaction is Reaction.PAUSE:
        who = "our key" if is_key_refused(error) else "us"
        pauses.pause(services, shard, after, f"The provider refused {who}: {error.message}")
    elif failures_in_a_row >= TOLD_AFTER:
        pauses.pause(
            services,
            shard,
            after,
            f"The provider has not served us {failures_in_a_row} times in a row: {error.message}",
        )
    else:
        services.batch_store.save_shard(shard, change(after, failures_in_a_row=failures_in_a_row))
    return step.then(step.next, wait_after(services, failures_in_a_row, error.retry_after, most))


def _fail_shard(services: Services, shard: Shard, after: Shard, step: Step, error: BatchClientError) -> Step:
    code = (error.code or "provider_unavailable")[:LONGEST_CODE]
    reason = BatchError(code, f"The provider did not take the batch: {error.message}")
    if isinstance(error.__cause__, NotFound):
        reason = BatchError("invalid_request", "The input was deleted before all of it was sent.", "file_id")
    if after.may_be_paid:  # it is looked for before its lines are given up
        services.batch_store.save_shard(shard, change(after, reason=reason, paused=None))
        return step.then("submit")
    pauses.save_answered(services, shard, finish(after, reason))
    return step.then("done")
