"""Record that something failed which no step could mend."""

from typing import Any, Final

from batchyard.domain import nesting, statuses
from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.errors import shown_to_tenants
from batchyard.domain.pacing import most_rest
from batchyard.domain.shard import Shard, as_done, with_members
from batchyard.domain.step import Next
from batchyard.observability import logger, publish
from batchyard.services import Services
from batchyard.shards import token_room
from batchyard.shards.turn import announce_done, announce_pause, open_shard

LONGEST_CAUSE: Final = 500
# An alarm is on this metric. It is published after the record, and once more when the record is made again.
GIVEN_UP: Final = {"GivenUp": 1}
# Seconds that a draining shard rests before another execution tries to bring in its answers: whatever kills its steps
# may pass.
RESTS: Final = (600, 3_600, 21_600)


def fail_batch(services: Services, batch_id: str, error: dict[str, Any]) -> None:
    """Record that the batch failed, or drain it if requests of it were sent; an ended batch stays as it is.

    Nothing more is sent of a draining batch. The answers that the provider has finished are paid for: the sweep has them
    brought in, and then has the results written; see `recovery/drain`.
    """
    reason, batch = _reason(error), services.batch_store.batch(batch_id)
    logger.error("batch failed", batch_id=batch_id, reason=_cause(error))
    if batch.in_progress_at is None or batch.ended:
        end_batch(services, batch_id, reason)
    else:
        _start_draining(services, batch, reason)


def _start_draining(services: Services, batch: Batch, reason: BatchError) -> None:
    if batch.drain_reason is None:
        services.batch_store.change_batch(batch.batch_id, drain_reason=reason, draining_since=services.now())
    publish(GIVEN_UP)
    services.cancel_function.invoke({"batch_id": batch.batch_id})


def end_batch(services: Services, batch_id: str, reason: BatchError) -> bool:
    """End a batch as failed, without results, and have its provider batches cancelled; False if it had ended before."""
    failed = services.batch_store.move_batch(batch_id, statuses.FAILED, services.now(), errors=[reason], errors_total=1)
    batch = failed or services.batch_store.batch(batch_id)
    if batch.status == statuses.FAILED:  # told again rather than never, if the last run ended before it could tell
        publish(GIVEN_UP)
        services.cancel_function.invoke({"batch_id": batch_id})
        services.event_bus.announce(batch)
    return failed is not None


def fail_shard(services: Services, batch_id: str, number: int, error: dict[str, Any], run: str = "") -> Next:
    """Record that an execution of a shard, the `run`, failed: the unfinished lines become errors, the siblings go on.

    A shard that may have answers which were paid for drains first, and `continue` is answered: another execution brings
    them in and sends nothing more.
    """
    reason = _reason(error)
    logger.error("shard failed", batch_id=batch_id, shard=number, reason=_cause(error))
    shard = services.batch_store.shard(batch_id, number)
    shard = shard or open_shard(services, services.batch_store.batch(batch_id), number)
    if not shard.done and not (run and run == shard.dead_run):
        shard = services.batch_store.save_shard(shard, _with_failure(services, shard, reason, run))
    services.cancel_function.invoke({"batch_id": batch_id})  # first: what runs at the provider is billed
    publish(GIVEN_UP)
    token_room.release_ended(services, shard)
    batch = services.batch_store.batch(batch_id)
    announce_pause(services, batch)
    announce_done(services, batch, shard)
    return Next.DONE if shard.done else Next.CONTINUE


def _with_failure(services: Services, shard: Shard, reason: BatchError, run: str) -> Shard:
    reason = shard.reason or reason
    if not shard.may_be_paid:
        return as_done(shard, reason)
    if shard.dead_executions < len(RESTS):
        kept = services.account(shard.provider).facts.results_kept
        rest_until = services.now() + most_rest(RESTS[shard.dead_executions], kept)
        dead_executions = shard.dead_executions + 1
        return with_members(
            shard,
            reason=reason,
            dead_executions=dead_executions,
            dead_run=run,
            rest_until=rest_until,
            paused=None,
            waits=None,
        )
    left = shard.attempts[-1].provider_batch_id
    where = f" The provider's batch {left} may have an answer that could not be brought in." if left else ""
    return as_done(shard, BatchError(reason.code, reason.message + where))


def _reason(error: dict[str, Any]) -> BatchError:
    name, cause = _origin(error)
    return BatchError("server_error", f"Batchyard could not go on: {name}: {shown_to_tenants(cause)[:LONGEST_CAUSE]}")


def _cause(error: dict[str, Any]) -> str:
    """Say what failed in words for the operator, whose log may hold AWS's own."""
    return ": ".join(_origin(error))[:LONGEST_CAUSE]


def _origin(error: dict[str, Any]) -> tuple[str, str]:
    """Find name and cause of what failed first.

    The cause of a nested execution's failure is the description of that execution, whose cause is the whole error of the
    step that failed.
    """
    cause = str(error.get("Cause") or "")
    told = _decoded(cause)
    if "ExecutionArn" in told:
        ended = f"The execution {told.get('Name')} ended {told.get('Status')}."
        return _origin({"Error": told.get("Error") or "ExecutionEnded", "Cause": told.get("Cause") or ended})
    if "Error" in told:
        return _origin(told)
    return str(error.get("Error") or "Unknown"), str(told.get("errorMessage", cause))


def _decoded(cause: str) -> dict[str, Any]:
    try:
        decoded = nesting.decode(cause)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
