"""Batches that were given up: what the provider has finished of them is brought in, and the results are put together."""

from typing import Final

from batchyard.batch import Batch, LineError
from batchyard.fail import end_batch
from batchyard.shift import Shift

LONGEST: Final = 86_400  # seconds; whatever keeps the results from being written then does not pass by itself


def drain(shift: Shift, batch: Batch, reason: LineError) -> None:
    """Have the next step taken of shards that are not done, or the results put together; at last the batch fails without.

    No execution is left to do it, so each run of the sweep asks for one step of as many shards as may run side by side.
    """
    yard, batch_id = shift.yard, batch.batch_id
    if yard.now() - (batch.given_up_at or 0) >= LONGEST:
        end_batch(yard, batch_id, reason)
        shift.did("BatchesFailed", batch_id=batch_id)
        return
    left = [shard.shard for shard in yard.records.shards(batch_id) if not shard.done]
    steps: list[int | None] = [*left[: yard.settings.max_concurrent_shards]]
    for number in steps or [None]:
        yard.advance_function.invoke({"batch_id": batch_id, "shard": number})
    shift.did("GivenUpBatchesAdvanced", batch_id=batch_id, shards=len(left))
