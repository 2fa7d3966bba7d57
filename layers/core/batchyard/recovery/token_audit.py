"""Correct the token ledgers from the records of the shards; each run goes on where the last stopped."""

from typing import Final

import msgspec

from batchyard.adapters.stores.token_ledger_store import TokenLedgerStore
from batchyard.domain import token_ledger
from batchyard.domain.token_ledger import KEEP_ENDED, Reservation
from batchyard.observability import logger
from batchyard.recovery.census import ShardCensus
from batchyard.recovery.sweep_run import SweepRun
from batchyard.services import Services

BOOKMARK: Final = "ledgers"


def correct_ledgers(run: SweepRun) -> None:
    """Release the reservations of attempts that have ended, and correct the sums of a ledger if they are wrong.

    A reservation is stale if its attempt is not under way, or its batch has ended. A reservation that changes meanwhile is
    left for the next run, so that this is safe at any time.
    """
    sweep_store = run.services.sweep_store
    mark = sweep_store.bookmark(BOOKMARK)
    at, behind = mark.get("at", ""), mark.get("behind", "")
    census = msgspec.convert(mark.get("census", {}), ShardCensus)
    stores = [account.token_ledgers for account in run.services.accounts.values()]
    ledgers = {name: store for store in stores for name in store.names()}
    for name in sorted(each for each in ledgers if each >= at):
        reached = None
        with run.fenced(ledger=name):
            reached = _release_stale(run, ledgers[name], name, behind if name == at else "")
            if reached is None:
                _recount(run, ledgers[name], name, census)
        if reached is not None:
            kept = msgspec.structs.asdict(census)
            sweep_store.keep_bookmark(BOOKMARK, {"at": name, "behind": reached, "census": kept})
            return
    census.tell()
    sweep_store.keep_bookmark(BOOKMARK, {})


def _release_stale(run: SweepRun, store: TokenLedgerStore, name: str, behind: str) -> str | None:
    """Release the stale reservations behind `behind`; return the last that was visited if time ran out, else None."""
    services = run.services
    for reservation in sorted(store.reservations(name), key=lambda each: each.attempt):
        if reservation.attempt <= behind:
            continue
        if run.over():
            return behind
        if not _is_live(services, reservation):
            logger.warning(
                "stale reservation released", ledger=name, attempt=reservation.attempt, tokens=reservation.tokens
            )
            released = store.release(name, reservation, services.now() + KEEP_ENDED, ended=True)
            run.count_many("ReservationsReleased", int(released), ledger=name)
        behind = reservation.attempt
    return None


def _recount(run: SweepRun, store: TokenLedgerStore, name: str, census: ShardCensus) -> None:
    tenants, ledger = store.tenants(name), store.read(name)
    reservations = list(store.reservations(name))
    census.see(reservations, ledger.enqueued, store.limit_of(name.partition("#")[2], ledger))
    true, behind = token_ledger.recounted(ledger, reservations), token_ledger.queue_end(ledger, reservations)
    if true != ledger:
        logger.warning("ledger corrected", ledger=name, enqueued=ledger.enqueued, truly=true.enqueued)
        run.count_many("LedgersCorrected", int(store.recount(name, ledger, true)), ledger=name)
    for tenant, place in tenants.items():  # a tenant whose waiting attempts were cancelled is not to wait for them
        if place > behind:
            store.correct_tenant(name, tenant, place, behind)


def _is_live(services: Services, reservation: Reservation) -> bool:
    batch_id, number, _ = reservation.attempt.rsplit("/", 2)
    batch = services.batch_store.find_batch(batch_id)
    if batch is None or batch.ended:
        return False
    shard = services.batch_store.shard(batch_id, int(number))
    return (
        shard is not None and not shard.done and shard.attempt is not None and shard.attempt_key == reservation.attempt
    )
