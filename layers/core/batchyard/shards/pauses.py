"""Tell the bus when a batch begins to wait for its operator or its provider, and when nothing of it waits any more.

The record knows which shards wait. A worker that ends between the record and the bus leaves the telling to the next one: an
event may come twice, but each pause is told.
"""

from datetime import UTC, datetime

from batchyard.domain.batch import Batch
from batchyard.domain.errors import StaleRecord
from batchyard.domain.statuses import PAUSED, RESUMED
from batchyard.observability import logger
from batchyard.services import Services


def announce_pause(services: Services, batch: Batch) -> None:
    """Announce that the batch is paused or goes on again, once it has changed since the last time."""
    paused = bool(batch.paused)
    if batch.ended or paused == batch.told_paused:
        return
    services.event_bus.announce(batch, PAUSED if paused else RESUMED)
    try:
        services.batch_store.change_batch(batch.batch_id, told_paused=paused)
    except StaleRecord:
        logger.info("batch has ended, nobody waits", batch_id=batch.batch_id)


def moment(seconds: float) -> str:
    """Write Unix seconds for people, to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
