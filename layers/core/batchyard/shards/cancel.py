"""Cancel what the provider still runs of a batch."""

from operator import methodcaller

from batch_client import APIConnectionError, BatchClientError
from batchyard.domain import statuses
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import token_room


def cancel(services: Services, batch_id: str) -> int:
    """Cancel provider batches that nobody waits for, and return how many; announce a cancel.

    If the batch was cancelled, drains or has failed, these are all; else those of shards that drain. A cancel that fails
    here is made again by the shard's own poll. A provider that gave no answer is asked once: others must not wait for it.
    """
    batch, cancelled, silent = services.batch_store.batch(batch_id), 0, set[str]()
    if batch.status == statuses.CANCELLING:
        services.event_bus.announce(batch)
    for shard in services.batch_store.shards(batch_id):
        attempt = shard.attempt
        if attempt is not None and batch.status == statuses.FAILED:  # no step of the shard follows that could
            token_room.release(services, shard, ended=True)
        if attempt is None or attempt.provider_batch_id is None or not (batch.stopping or shard.done or shard.draining):
            continue
        if shard.provider in silent:
            continue
        try:
            services.account(shard.provider).ask(methodcaller("stop", attempt.provider_batch_id))
            cancelled += 1
        except BatchClientError as error:
            if isinstance(error, APIConnectionError):
                silent.add(shard.provider)
            logger.warning("not cancelled", batch_id=batch_id, shard=shard.shard, error=type(error).__name__)
    logger.info("cancelled at the provider", batch_id=batch_id, provider_batches=cancelled, status=batch.status)
    return cancelled
