"""Cancel what the provider still runs of a batch."""

from operator import methodcaller

from batch_client import BatchClientError
from batchyard.log import logger
from batchyard.yard import Yard


def cancel(yard: Yard, batch_id: str) -> int:
    """Cancel every live provider batch of the batch and return how many; each shard's own poll sees to what fails here."""
    cancelled = 0
    for shard in yard.records.shards(batch_id):
        attempt = shard.attempt
        if shard.done or attempt is None or attempt.provider_batch_id is None:
            continue
        try:
            yard.ask(methodcaller("cancel_batch", attempt.provider_batch_id))
            cancelled += 1
        except BatchClientError as error:
            logger.warning("not cancelled yet", batch_id=batch_id, shard=shard.shard, error=type(error).__name__)
    return cancelled
