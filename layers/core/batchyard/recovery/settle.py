"""What a batch that has ended may have left at the provider."""

from operator import methodcaller
from typing import Final

from batch_client import NotFoundError
from batchyard.domain.batch import Batch
from batchyard.domain.shard import Shard, change, change_attempt
from batchyard.observability import logger
from batchyard.recovery.sweep_run import Shift
from batchyard.shards import provider_files
from batchyard.shards.poll import ENDING

LATE: Final = 1_200  # seconds after the end in which a worker may still come late with what it made
LONGEST: Final = 7 * 86_400  # seconds, then the provider has long ended everything itself


def settle(shift: Shift, batch: Batch) -> None:
    """Have nothing of the batch run on or lie at the provider; it is looked at again until that is so."""
    age = shift.services.now() - max(batch.completed_at or 0, batch.failed_at or 0, batch.cancelled_at or 0)
    if shift.unreachable:
        return
    whole = _all_settled(shift, batch)
    if not whole and age > LONGEST:
        logger.error("batch not settled", batch_id=batch.batch_id)
    elif not whole or age < LATE:
        return
    shift.services.sweep_store.settled(batch.batch_id)
    shift.did("BatchesSettled", batch_id=batch.batch_id)


def _all_settled(shift: Shift, batch: Batch) -> bool:
    whole = True
    for shard in shift.services.batch_store.shards(batch.batch_id):
        if shift.over():
            return False
        whole = _settled(shift, shard) and whole
    return whole


def _settled(shift: Shift, shard: Shard) -> bool:
    if shard.at_provider:
        ended = _ended(shift, shard)
        if ended is None:
            return False
        shard = shift.services.batch_store.save_shard(shard, ended)
    if shard.file_id is not None:
        shard = shift.services.batch_store.save_shard(shard, change(shard, file_id=None))
    if not shard.leftovers or not provider_files.deleting(shift.services):
        return True
    left = shift.delete(shard.leftovers, batch_id=shard.batch_id, shard=shard.shard)
    if left != shard.leftovers:
        shift.services.batch_store.save_shard(shard, change(shard, leftovers=left))
    return not left


def _ended(shift: Shift, shard: Shard) -> Shard | None:
    """Return the shard with its attempt ended, as its provider batch has; None while that one has to be waited for.

    Its answers were paid for and nobody brought them in, so they are left for a person to fetch, until they expire there.
    """
    provider_batch_id = shard.attempts[-1].provider_batch_id or ""
    try:
        seen = shift.services.ask(methodcaller("retrieve_batch", provider_batch_id))
    except NotFoundError:
        return change_attempt(shard, provider_status="lost", ended_at=shift.services.now())
    if seen.ended:
        told = {"provider_batch_id": seen.id, "files": [seen.output_file_id, seen.error_file_id]}
        logger.error("answers not brought in", batch_id=shard.batch_id, shard=shard.shard, **told)
        return change_attempt(shard, provider_status=seen.status, ended_at=shift.services.now())
    if seen.status not in ENDING:
        shift.services.ask(methodcaller("cancel_batch", provider_batch_id))
        shift.did("ProviderBatchesCancelled", provider_batch_id=provider_batch_id, batch_id=shard.batch_id)
    return None
