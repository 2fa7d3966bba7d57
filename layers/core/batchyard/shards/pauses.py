"""Tell the bus when a batch begins to wait for its operator or its provider, and when nothing of it waits any more.

The record knows which shards wait; a worker that ends between the record and the bus leaves the telling to the next one, so
an event may come twice, but each pause is told.
"""

from batchyard.domain.batch import Batch
from batchyard.domain.errors import StaleRecord
from batchyard.domain.shard import Shard, change
from batchyard.domain.statuses import PAUSED, RESUMED
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import provider_files


def tell(services: Services, batch: Batch) -> None:
    """Announce that the batch is paused or goes on again, once it has changed since the last time."""
    paused = bool(batch.paused)
    if batch.ended or paused == batch.told_paused:
        return
    services.event_bus.announce(batch, PAUSED if paused else RESUMED)
    try:
        services.batch_store.change_batch(batch.batch_id, told_paused=paused)
    except StaleRecord:
        logger.info("batch has ended, nobody waits", batch_id=batch.batch_id)


def save_answered(services: Services, before: Shard, after: Shard) -> Shard:
    """Save a shard whose provider answers: its setbacks are over, and so is what it waited for."""
    saved = services.batch_store.save_shard(before, change(after, failures_in_a_row=0, paused=None))
    if before.paused:
        tell(services, services.batch_store.batch(saved.batch_id))
    return provider_files.delete(services, saved)


def pause(services: Services, before: Shard, after: Shard, reason: str) -> Shard:
    """Save a shard that waits, with the batch telling why; a worker that was overtaken tells nothing."""
    saved = services.batch_store.save_shard(
        before, change(after, paused=reason, failures_in_a_row=before.failures_in_a_row + 1)
    )
    tell(services, services.batch_store.batch(saved.batch_id))
    return saved


def wait_for_room(services: Services, shard: Shard, reason: str) -> Shard:
    """Save a shard that waits for room, with the batch telling why: nothing has failed, so it is no setback."""
    if shard.paused == reason:
        return shard
    return services.batch_store.save_shard(shard, change(shard, paused=reason))
