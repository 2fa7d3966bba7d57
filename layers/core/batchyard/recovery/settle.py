"""Settle a batch that has ended: leave nothing of it at the provider, nor its unpacked input in S3."""

from operator import methodcaller

from batch_client import BatchClientError, NotFoundError
from batchyard.domain import object_keys
from batchyard.domain.attempt import End
from batchyard.domain.batch import Batch, InputObject
from batchyard.domain.job import end_of, may_be_stopped
from batchyard.domain.shard import Shard, with_attempt_members, with_members
from batchyard.observability import logger
from batchyard.recovery.ownership import LATEST_RECORD, longest_at_provider
from batchyard.recovery.sweep_run import SweepRun
from batchyard.shards import lost_create, provider_files

COPIES = ("source", "changed")  # the unpacked input, and the lines that a retry changed


def settle(run: SweepRun, batch: Batch) -> None:
    """Cancel and delete what the batch has left; the sweep comes back until nothing is left."""
    for name in COPIES:
        _remove_copy(run, batch, name)
    age = run.services.now() - max(batch.completed_at or 0, batch.failed_at or 0, batch.cancelled_at or 0)
    whole = _settle_shards(run, batch)
    accounts = run.services.accounts.values()
    if not whole and age > max(longest_at_provider(each, batch.completion_window) for each in accounts):
        logger.error("batch not settled", batch_id=batch.batch_id)
    elif not whole or age < LATEST_RECORD:
        return
    _free_files(run, batch)
    run.services.sweep_store.settle(batch.batch_id)
    run.count("BatchesSettled", batch_id=batch.batch_id)


def _free_files(run: SweepRun, batch: Batch) -> None:
    """Note on the firing of a batch of which nothing was sent that its files are free: the claims outlive its own record."""
    folder = object_keys.owner_of_folder(batch.input.key) if batch.void else None
    if folder is not None:
        run.services.gather_store.free(*folder, batch.batch_id, run.services.now())


def _remove_copy(run: SweepRun, batch: Batch, name: str) -> None:
    """Remove a copy of the input for good; nobody reads it any more, and it counts no more."""
    copy: InputObject | None = getattr(batch, name)
    if copy is None:
        return
    services = run.services
    services.file_bucket.remove(copy.key, copy.version_id or "null")
    if services.sweep_store.forget_copy(batch.batch_id, name):
        services.quota_store.give_back(batch.tenant, copy.size, services.now())
        run.count("CopiesRemoved", batch_id=batch.batch_id, bytes=copy.size)


def _settle_shards(run: SweepRun, batch: Batch) -> bool:
    whole = True
    for shard in run.services.batch_store.shards(batch.batch_id):
        if run.over():
            return False
        whole = _is_settled(run, batch, shard) and whole
    return whole


def _is_settled(run: SweepRun, batch: Batch, shard: Shard) -> bool:
    """Settle a shard; False if something of it is left, as when its provider does not serve us."""
    account, settled = run.services.account(shard.provider), False
    if account.name not in run.unreachable:
        with run.trying(account, batch_id=shard.batch_id, shard=shard.shard):
            gone = _stop_lost(run, batch, shard)
            settled = _settle_shard(run, shard) and gone
    return settled


def _stop_lost(run: SweepRun, batch: Batch, shard: Shard) -> bool:
    """Stop what came of a lost create that no step looks for any more; True if nothing of it runs.

    `orphans` finds it in the list only where the provider shows our key.
    """
    creating_at = shard.attempt.creating_at if shard.attempt and not shard.at_provider else None
    if creating_at is None:
        return True
    account = run.services.account(shard.provider)
    try:
        made = lost_create.look_up(run.services, batch, shard, creating_at)
    except BatchClientError as error:
        if not lost_create.leaves_open(error):
            raise
        logger.warning("lost create not looked up", batch_id=shard.batch_id, shard=shard.shard, error=str(error))
        return not error.retryable  # a later look may tell, as when a job that may be the one has ended
    if made is None:
        return True
    if made.ended:
        return not (run.deletes and run.delete(account, list(made.results), shard=shard.attempt_key))
    if may_be_stopped(made):
        account.ask(methodcaller("stop", made.id))
        run.count("ProviderBatchesCancelled", provider_batch_id=made.id, batch_id=shard.batch_id)
    return False


def _settle_shard(run: SweepRun, shard: Shard) -> bool:
    if shard.at_provider:
        ended = _end_attempt(run, shard)
        if ended is None:
            return False
        shard = run.services.batch_store.save_shard(shard, ended)
    if shard.file_id is not None:
        shard = run.services.batch_store.save_shard(shard, with_members(shard, file_id=None))
    if not shard.files_to_delete or not provider_files.may_delete(run.services):
        return True
    left = run.delete(
        run.services.account(shard.provider), shard.files_to_delete, batch_id=shard.batch_id, shard=shard.shard
    )
    if left != shard.files_to_delete:
        run.services.batch_store.save_shard(shard, with_members(shard, files_to_delete=left))
    return not left


def _end_attempt(run: SweepRun, shard: Shard) -> Shard | None:
    """Return the shard with its attempt ended, if its provider batch has ended; else cancel that batch and return None.

    Nobody has collected the answers, which were paid for. They stay at the provider until they expire, for a person to fetch.
    """
    provider_batch_id = shard.attempts[-1].provider_batch_id or ""
    try:
        seen = run.services.account(shard.provider).ask(methodcaller("look", provider_batch_id))
    except NotFoundError:
        return with_attempt_members(shard, provider_status="lost", end=End.LOST, ended_at=run.services.now())
    if seen.ended:
        told = {"provider_batch_id": seen.id, "files": seen.results}
        logger.error("answers not collected", batch_id=shard.batch_id, shard=shard.shard, **told)
        return with_attempt_members(shard, provider_status=seen.status, end=end_of(seen), ended_at=run.services.now())
    if may_be_stopped(seen):
        run.services.account(shard.provider).ask(methodcaller("stop", provider_batch_id))
        run.count("ProviderBatchesCancelled", provider_batch_id=provider_batch_id, batch_id=shard.batch_id)
    return None
