"""Why nothing more of a shard is sent; what is at the provider is then cancelled, and what that has finished is kept."""

import math
from typing import Final

from batchyard.domain import statuses
from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.durations import DAY
from batchyard.domain.shard import Shard

WAIT, RESUBMIT, FINISH = "wait", "resubmit", "finish"
ACTIONS: Final = frozenset({WAIT, RESUBMIT, FINISH})
# The last tenth of the window is left to the cancel, which may take ten minutes, and to what is sent anew.
WAITED_FOR: Final = 0.9


CANCELLED: Final = BatchError("batch_cancelled", "The batch was cancelled before this request was finished.")
CUT_SHORT: Final = BatchError("server_error", "The results were put together before this request was finished.")
DRAINING: Final = DAY  # in which what was paid for of a batch that is given up is brought in


def is_drained(batch: Batch, now: float) -> bool:
    """Tell whether a batch that is given up waits for none of its shards any more."""
    return batch.drain_reason is not None and now - (batch.draining_since or 0) >= DRAINING


def why_stopped(batch: Batch, shard: Shard) -> BatchError | None:
    """Tell what the unfinished lines of the shard get as their outcome; None while they may be sent."""
    if shard.reason is not None:
        return shard.reason
    if batch.status in {statuses.IN_PROGRESS, statuses.FINALIZING} and batch.drain_reason is not None:
        return batch.drain_reason
    return {statuses.IN_PROGRESS: None, statuses.FINALIZING: CUT_SHORT}.get(batch.status, CANCELLED)


def deadline(action: str, created_at: int, window: int) -> float:
    """Answer from when on (Unix seconds) what is unfinished is taken back to be sent anew; never, unless that is wanted."""
    return created_at + window * WAITED_FOR if action in {RESUBMIT, FINISH} else math.inf
