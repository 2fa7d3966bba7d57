"""Batches that were given up: what the provider has finished of them is brought in, and the results are put together."""

from typing import TYPE_CHECKING

from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.stopping import DRAINING, is_drained
from batchyard.recovery.sweep_run import SweepRun
from batchyard.shards.fail import end_batch

if TYPE_CHECKING:
    from collections.abc import Sequence


def drain(run: SweepRun, batch: Batch, reason: BatchError) -> None:
    """Have the next step taken of shards that are not done, or the results put together; at last the batch fails without.

    No execution is left to do it, so each run of the sweep asks for one step of as many shards as may run side by side, of
    others each time. After a day those left are not waited for, so that the others' answers are not lost with them.
    """
    services, batch_id = run.services, batch.batch_id
    if is_drained(
        batch, services.now() - DRAINING
    ):  # whatever keeps the results from being written does not pass by itself
        end_batch(services, batch_id, reason)
        run.count("BatchesFailed", batch_id=batch_id)
        return
    drained = is_drained(batch, services.now())
    left = [shard.shard for shard in services.batch_store.shards(batch_id) if not (shard.done or drained)]
    steps: Sequence[int | None] = sorted(left, key=lambda _: services.chance())[
        : services.settings.max_concurrent_shards
    ]
    for number in steps or [None]:
        services.advance_function.invoke({"batch_id": batch_id, "shard": number})
    run.count("GivenUpBatchesAdvanced", batch_id=batch_id, shards=len(left))
