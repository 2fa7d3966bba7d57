"""Correct the ledgers of enqueued tokens from the records of the shards, in turns: each run goes on where the last stopped."""

from typing import Final

from batchyard.domain import token_ledger
from batchyard.domain.token_ledger import Claim
from batchyard.observability import logger
from batchyard.recovery.sweep_run import Shift
from batchyard.services import Services
from batchyard.shards.token_room import KEPT

CHORE: Final = "ledgers"


def correct_ledgers(shift: Shift) -> None:
    """Give back the tokens that no attempt holds any more, and count a ledger anew whose sums are wrong.

    A claim is stale when its shard has done with that attempt, or its batch has ended. It is safe at any time: a claim
    that is moved meanwhile is left for the next time.
    """
    sweep_store = shift.services.sweep_store
    mark = sweep_store.bookmark(CHORE)
    at, behind = mark.get("at", ""), mark.get("behind", "")
    for name in [each for each in shift.services.token_ledger_store.names() if each >= at]:
        reached = _release_stale(shift, name, behind if name == at else "")
        if reached is not None:
            sweep_store.keep_bookmark(CHORE, {"at": name, "behind": reached})
            return
        _count(shift, name)
    sweep_store.keep_bookmark(CHORE, {})


def _release_stale(shift: Shift, name: str, behind: str) -> str | None:
    """Release the stale claims behind one of them; answer the one it came to if time ran out before the last."""
    services = shift.services
    for claim in sorted(services.token_ledger_store.claims(name), key=lambda each: each.attempt):
        if claim.attempt <= behind:
            continue
        if shift.over():
            return behind
        if not _is_live(services, claim):
            logger.warning("stale claim released", ledger=name, attempt=claim.attempt, tokens=claim.tokens)
            released = services.token_ledger_store.release(name, claim, services.now() + KEPT, ended=True)
            shift.did_often("ClaimsReleased", int(released), ledger=name)
        behind = claim.attempt
    return None


def _count(shift: Shift, name: str) -> None:
    book = shift.services.token_ledger_store.read(name)
    true = token_ledger.recounted(book, shift.services.token_ledger_store.claims(name))
    if true != book:
        logger.warning("ledger corrected", ledger=name, enqueued=book.enqueued, truly=true.enqueued)
        shift.did_often(
            "LedgersCorrected", int(shift.services.token_ledger_store.recount(name, book, true)), ledger=name
        )


def _is_live(services: Services, claim: Claim) -> bool:
    batch_id, number, _ = claim.attempt.rsplit("/", 2)
    batch = services.batch_store.find_batch(batch_id)
    if batch is None or batch.ended:
        return False
    shard = services.batch_store.shard(batch_id, int(number))
    return shard is not None and not shard.done and shard.attempt is not None and shard.attempt_key == claim.attempt
