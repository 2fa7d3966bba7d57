"""When and why nothing more of a shard is sent. Its provider batch is then cancelled, and finished lines are kept."""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from batch_client import Facts
from batchyard.costs.bill import SHOWN_NAME
from batchyard.costs.cost import PER_DOLLAR
from batchyard.domain import statuses
from batchyard.domain.attempt import Attempt, End
from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.numbers import DAY, HOUR, amount
from batchyard.domain.shard import Shard

WAIT, RESUBMIT, FINISH = "wait", "resubmit", "finish"
USUAL: Final = Facts()
ACTIONS: Final = frozenset({WAIT, RESUBMIT, FINISH})
# The last tenth of the window is for the cancel, which may take ten minutes, and for the lines that are sent again.
WAITED_FOR: Final = 0.9
OVERTIME: Final = 12 * HOUR
CANCELLED: Final = BatchError("batch_cancelled", "The batch was cancelled before this request was finished.")
# What a provider says of a cancel, or of an expiry, that loses what was answered; and the word for its lines.
LEAVES_NOTHING: Final = "nothing"
CANCELLED_AND_LOST: Final = BatchError(
    "batch_cancelled",
    "The batch was cancelled, and this provider keeps no answers of a cancelled batch: the request may have been run, "
    "and billed.",
)
CUT_SHORT: Final = BatchError("server_error", "The results were put together before this request was finished.")
MAX_COST: Final = BatchError(
    "max_cost_reached",
    "To send this request would take the batch above max_cost_usd. Raise it, and send the request again.",
    "max_cost_usd",
)
ROUNDED: Final = Decimal(
    "0.0001"
)  # US dollars: an estimate that fitted before the batch began fits, however it was rounded
DRAINING: Final = DAY  # a draining batch waits this long for the provider's answers


def is_drained(batch: Batch, now: float) -> bool:
    """Tell whether a draining batch no longer waits for any shard."""
    return batch.drain_reason is not None and now - (batch.draining_since or 0) >= DRAINING


def why_stopped(batch: Batch, shard: Shard) -> BatchError | None:
    """Return the outcome of the shard's unfinished lines; None while these lines may be sent."""
    if shard.reason is not None:
        return shard.reason
    if batch.status in {statuses.IN_PROGRESS, statuses.FINALIZING} and batch.drain_reason is not None:
        return batch.drain_reason
    return {statuses.IN_PROGRESS: None, statuses.FINALIZING: CUT_SHORT}.get(batch.status, CANCELLED)


def deadline(action: str, created_at: int, window: int, facts: Facts = USUAL) -> float:
    """Return when the unfinished lines are taken back to be sent again, in Unix seconds; infinity where nothing is.

    With `wait` the provider's own expiry is waited for, unless a cancel leaves answers and the expiry none. Where a cancel
    leaves none, only what has outlived its window by `OVERTIME` is taken back: it never ends.
    """
    if facts.after_cancel == LEAVES_NOTHING:
        early = False
    else:
        early = action in {RESUBMIT, FINISH} or (facts.expires and facts.after_expiry == LEAVES_NOTHING)
    if early:
        return created_at + window * WAITED_FOR
    return math.inf if facts.expires else created_at + window + OVERTIME


def cost_limit_reached(batch: Batch, shards: Iterable[Shard], shard: Shard) -> BatchError | None:
    """Return why the unfinished lines of a shard are not sent: the batch would cost more than its `max_cost_usd`.

    What stands at the provider, and what is to be sent, count at their estimate. Two shards that ask at the same moment
    may both be sent.
    """
    most = amount(batch.max_cost_usd)
    if most is None or batch.preflight is None:
        return None
    found = msgspec.json.decode(batch.preflight)
    expected = sum((_expected(each, _per_line(found, each)) for each in shards), Decimal(0))
    wanted = shard.unfinished * _per_line(found, shard)
    return MAX_COST if expected + wanted > most + ROUNDED else None


def estimate_for(batch: Batch, shard: Shard) -> dict[str, Any] | None:
    """Return the part of the estimate that tells of a shard's lines; None if the batch was not estimated."""
    return _part(msgspec.json.decode(batch.preflight), shard) if batch.preflight else None


def _part(found: dict[str, Any], shard: Shard) -> dict[str, Any]:
    """Return the estimate for the model of a shard, or for all models where too many are shown."""
    own = (
        each
        for each in found["models"]
        if each["model"] == shard.model[:SHOWN_NAME] and each["endpoint"] == shard.endpoint
    )
    return next(own, found)


def _per_line(found: dict[str, Any], shard: Shard) -> Decimal:
    """Return the estimate for one line of a shard in US dollars."""
    part = _part(found, shard)
    lines: int = part["lines"]
    return Decimal(str(part["estimated_usd"] or 0)) / max(1, lines)


def _expected(shard: Shard, per_line: Decimal) -> Decimal:
    """Return what a shard has cost; an attempt at the provider, and answers without tokens or lost, count at their estimate."""
    paid = Decimal(shard.cost.amount) / PER_DOLLAR + sum(_assumed(past, per_line) for past in shard.attempts)
    if shard.attempt is None or not shard.may_be_paid:
        return paid
    so_far = Decimal(shard.attempt.cost.amount if shard.attempt.cost else 0) / PER_DOLLAR
    return paid + max(Decimal(0), shard.attempt.lines * per_line - so_far)


def _assumed(past: Attempt, per_line: Decimal) -> Decimal:
    """Return what an attempt is assumed to have cost beside what is known: of a batch that is gone, a part may be known."""
    known = past.cost.amount if past.cost and past.end is End.LOST else 0
    return max(Decimal(0), (past.unmetered + past.lost) * per_line - Decimal(known) / PER_DOLLAR)
