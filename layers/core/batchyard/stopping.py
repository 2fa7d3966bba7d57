"""Why nothing more of a shard is sent; what is at the provider is then cancelled, and what that has finished is kept."""

from typing import Final

from batchyard import statuses
from batchyard.batch import Batch, LineError
from batchyard.shard import Shard

CANCELLED: Final = LineError("batch_cancelled", "The batch was cancelled before this request was finished.")


def why_stopped(batch: Batch, shard: Shard) -> LineError | None:
    """Tell what the unfinished lines of the shard get as their outcome; None while they may be sent."""
    if shard.reason is not None:
        return shard.reason
    if batch.status in {statuses.IN_PROGRESS, statuses.FINALIZING} and batch.given_up is not None:
        return batch.given_up
    return None if batch.status == statuses.IN_PROGRESS else CANCELLED
