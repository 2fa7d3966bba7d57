"""When and why nothing more of a shard is sent. Its provider batch is then cancelled, and finished lines are kept."""

import math
from typing import Final

from batchyard.domain import statuses
from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.numbers import DAY
from batchyard.domain.shard import Shard

WAIT, RESUBMIT, FINISH = "wait", "resubmit", "finish"
ACTIONS: Final = frozenset({WAIT, RESUBMIT, FINISH})
# The last tenth of the window is for the cancel, which may take ten minutes, and for the lines that are sent again.
WAITED_FOR: Final = 0.9
CANCELLED: Final = BatchError("batch_cancelled", "The batch was cancelled before this request was finished.")
CUT_SHORT: Final = BatchError("server_error", "The results were put together before this request was finished.")
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


def deadline(action: str, created_at: int, window: int) -> float:
    """Return when the unfinished lines are taken back to be sent again, in Unix seconds; infinity for the action `wait`."""
    return created_at + window * WAITED_FOR if action in {RESUBMIT, FINISH} else math.inf
