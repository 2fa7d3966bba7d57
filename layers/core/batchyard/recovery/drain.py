"""Draining batches: the provider's answers are collected, and then the results are assembled."""

from typing import TYPE_CHECKING

from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.stopping import DRAINING, is_drained
from batchyard.recovery.sweep_run import SweepRun
from batchyard.results import bill
from batchyard.shards.fail import end_batch

if TYPE_CHECKING:
    from collections.abc import Sequence


def drain(run: SweepRun, batch: Batch, reason: BatchError) -> None:
    """Ask for the next step of shards that are not done, or for the results; after two days the batch fails without results.

    No execution is left for this. Each run of the sweep picks other shards, as many as may run side by side. After a day
    the results are assembled without the shards that are not done.
    """
    services, batch_id = run.services, batch.batch_id
    if is_drained(batch, services.now() - DRAINING):
        _give_up(run, batch, reason)
        return
    drained = is_drained(batch, services.now())
    left = [shard.shard for shard in services.batch_store.shards(batch_id) if not (shard.done or drained)]
    steps: Sequence[int | None] = sorted(left, key=lambda _: services.chance())[
        : services.settings.max_concurrent_shards
    ]
    for number in steps or [None]:
        services.advance_function.invoke({"batch_id": batch_id, "shard": number})
    run.count("GivenUpBatchesAdvanced", batch_id=batch_id, shards=len(left))


def _give_up(run: SweepRun, batch: Batch, reason: BatchError) -> None:
    """End the batch without results: what keeps them from being written does not pass by itself. What was paid is billed."""
    services, shards = run.services, list(run.services.batch_store.shards(batch.batch_id))
    bill.keep(services, batch, shards, batch.counts.completed + batch.counts.failed)
    if end_batch(services, batch.batch_id, reason):
        bill.publish_spent(services, shards)
        run.count("BatchesFailed", batch_id=batch.batch_id)
