"""The enqueued tokens that all shards share: reserved before a provider batch is made, released when the batch ends.

A reservation has its attempt's key, so each call may be made twice. The shard's next step repairs what a crash left
behind; the sweep repairs the rest from the records of the shards, see `recovery/token_audit`.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from batchyard.adapters.stores.token_ledger_store import TokenLedgerStore
from batchyard.domain import token_ledger, token_limits
from batchyard.domain.pacing import floor_while_unknown, retry_wait, room_wait
from batchyard.domain.shard import Shard, with_attempt_members, with_members
from batchyard.domain.token_ledger import Ledger, Reservation
from batchyard.observability import logger, publish
from batchyard.providers.limits import UNITS
from batchyard.services import Services
from batchyard.shards.turn import Turn

TOKENS, REQUESTS, JOBS, NOTHING = "tokens", "requests", "jobs", "nothing"  # what fills up at a provider
LOOKS_MISSED: Final = 3  # longest waits without a look, after which others wait for this attempt no more
NEAR: Final = 10  # an estimate is kept as it is until it is a tenth off


class Refusal(NamedTuple):
    """What the ledger made of a refusal."""

    #: The limit in tokens from now on.
    limit: int | None
    #: Whether the provider's message told the limit.
    stated: bool
    #: Whether the tokens should have fitted the limit that we kept to.
    unexpected: bool
    #: Whether nothing else of ours was enqueued.
    alone: bool


def ledger_of(services: Services, shard: Shard) -> tuple[TokenLedgerStore, str]:
    """Return the store and the name of the ledger of a shard: that of its provider and model, or of all its models.

    Where requests or jobs fill a provider up, its ledgers hold these in place of tokens.
    """
    account = services.account(shard.provider)
    store = account.token_ledgers
    return store, store.name_of("" if account.facts.shares_room else shard.model)


def reserve(turn: Turn, sizes: Sequence[int]) -> int:
    """Reserve tokens for the attempt under way; answer the seconds to wait if there is no room, else 0.

    `sizes` are the bytes of the unfinished lines. The attempt takes as many of the first as the limit allows. Where nothing
    fills up, nothing is reserved.
    """
    services, now = turn.services, turn.services.now()
    store, name = ledger_of(services, turn.shard)
    known = store.reservation(name, turn.shard.attempt_key)
    if known is not None and known.tokens:
        return 0
    ledger = store.read(name)
    most = store.limit_of(turn.shard.model, ledger)
    if turn.account.facts.room == NOTHING:
        _fit_to_room(turn, sizes, ledger, None)
        return 0
    _fit_to_room(turn, sizes, ledger, most)
    attempt, ttl = turn.attempt, turn.shard.expires_at_ttl
    tenant = turn.batch.tenant
    # An attempt keeps its place for good, also where it has given its tokens back, and its tenant is charged for it once.
    place = known.place if known is not None else store.take_place(name, tenant, ledger.place, attempt.tokens)
    wanted = Reservation(
        attempt=turn.shard.attempt_key, since=attempt.started_at, tenant=tenant, place=place, wanted=attempt.tokens,
        seen_at=now,
    )  # fmt: skip
    alive_since = now - LOOKS_MISSED * services.settings.retry_ceiling_seconds
    ahead = token_ledger.ahead_of(store.ahead(name, wanted), most, alive_since)
    terms = token_ledger.terms(ledger, most, ahead, wanted.wanted, now, _first(turn))
    if terms is not None and store.take(name, wanted, terms, ttl, place if place > ledger.place else 0):
        if known is not None and known.waiting:
            publish({"TokenWaitSeconds": now - attempt.started_at})
        return 0
    store.wait(name, wanted, ttl)
    publish({"Waits": 1}, reason="tokens")
    _note_wait(turn, ledger, most)
    return _wait(services, now - attempt.started_at, known=most is not None, first=not ahead.reservations)


def first_poll(services: Services, shard: Shard) -> int:
    """Return the seconds from a create to the first poll: few while the answer teaches how much the provider takes."""
    floor = services.settings.poll_floor_seconds
    store, name = ledger_of(services, shard)
    known = store.limit_of(shard.model, store.read(name))
    return floor_while_unknown(0, floor) if known is None else floor


def record_not_accepted(services: Services, shard: Shard) -> None:
    """Have nobody wait any more for the provider to take in the attempt under way, if it has not done so for long."""
    store, name = ledger_of(services, shard)
    if services.now() - (shard.attempts[-1].creating_at or math.inf) < token_ledger.OVERDUE:
        return
    reservation = store.reservation(name, shard.attempt_key)
    if reservation is not None and reservation.tokens and not (reservation.confirmed or reservation.overdue):
        store.mark_overdue(name, reservation)


def record_accepted(services: Services, shard: Shard) -> None:
    """Note that the provider has taken in the provider batch of the attempt under way."""
    store, name = ledger_of(services, shard)
    reservation = store.reservation(name, shard.attempt_key)
    if reservation is None or not reservation.tokens or reservation.confirmed or not store.confirm(name, reservation):
        return
    learned = token_ledger.after_acceptance(store.read(name), services.now())
    if learned:
        logger.info("room learned", ledger=name, learned=learned)
        store.change(name, **learned)


def record_refused(services: Services, shard: Shard, messages: Iterable[str], in_a_row: int) -> Refusal:
    """Learn from the provider's word that there is no room for the attempt under way, which is the `in_a_row`th refused."""
    (store, name), tokens = ledger_of(services, shard), shard.attempts[-1].tokens
    ledger = store.read(name)
    before = store.limit_of(shard.model, ledger)
    stated = next(filter(None, map(token_limits.stated_limit, messages)), None)
    # Of requests and jobs, no line is ever larger than the limit.
    alone = ledger.enqueued <= tokens and services.account(shard.provider).facts.room == TOKENS
    unexpected = token_ledger.is_unexpected(ledger, before)
    learned: dict[str, int | bool] = {}
    if stated is not None or not alone or in_a_row > token_ledger.PATIENCE:
        learned.update(token_ledger.after_refusal(ledger, stated, before, services.now()))
    if unexpected:
        learned.update(token_ledger.crowding(ledger, services.now() + _pause_of_all(services, ledger.crowded)))
    if learned:
        logger.warning("room learned", ledger=name, enqueued=ledger.enqueued, learned=learned)
        store.change(name, **learned)
        ledger = msgspec.structs.replace(ledger, **learned)
    return Refusal(store.limit_of(shard.model, ledger), ledger.stated, unexpected, alone)


def release_ended(services: Services, shard: Shard) -> None:
    """Release what a shard holds, if its latest attempt has ended, and learn how many tokens its bytes were."""
    if not shard.attempts or not (shard.done or shard.attempt is None):
        return
    if not release(services, shard, ended=True) or services.account(shard.provider).facts.room != TOKENS:
        return
    (store, name), attempt = ledger_of(services, shard), shard.attempts[-1]
    counted = attempt.usage.input_tokens if attempt.usage else 0
    answered = attempt.succeeded + attempt.not_accepted  # both have their tokens counted
    sample = token_limits.sample_of(attempt.bytes, attempt.lines, answered, counted)
    if sample is not None:
        learned = token_ledger.after_usage(store.read(name), sample, attempt.bytes, services.now())
        if learned:
            store.change(name, **learned)


def release(services: Services, shard: Shard, *, ended: bool) -> bool:
    """Release the tokens of the latest attempt and leave the queue, for good if it has `ended`; False if nothing was held."""
    store, name = ledger_of(services, shard)
    reservation = store.reservation(name, shard.attempt_key)
    if reservation is None or reservation.ended or not (reservation.tokens or reservation.waiting or ended):
        return False
    return store.release(name, reservation, services.now() + token_ledger.KEEP_ENDED, ended=ended)


def _fit_to_room(turn: Turn, sizes: Sequence[int], ledger: Ledger, most: int | None) -> None:
    """Record what the attempt will send; an uploaded file is kept only if it holds just these lines."""
    shard, attempt = turn.shard, turn.attempt
    learned = turn.account.creations.most_bytes(turn.services.now())
    most_bytes = min(filter(None, (learned, shard.too_large_bytes // 2)), default=None)
    lines, size, tokens = _wave(turn, sizes, ledger, most, most_bytes)
    if lines == attempt.lines and size == attempt.bytes and abs(tokens - attempt.tokens) * NEAR <= tokens:
        return
    dropped: dict[str, Any] = {} if lines == (shard.file_lines or shard.unfinished) else {"file_id": None}
    turn.save(
        with_members(with_attempt_members(shard, lines=lines, bytes=size, tokens=tokens), file_lines=lines, **dropped)
    )


def _wave(
    turn: Turn, sizes: Sequence[int], ledger: Ledger, most: int | None, most_bytes: int | None
) -> tuple[int, int, int]:
    """Return how many of the first lines go, their bytes, and what they take of the room: tokens, requests or a job."""
    room, wave = turn.account.facts.room, turn.shard.wave or None
    if room == TOKENS:
        lines, size = token_limits.wave(sizes, ledger.ratio, token_limits.limit_of(most, wave), most_bytes)
        return lines, size, token_limits.tokens_of(size, ledger.ratio)
    most_lines = token_limits.limit_of(most, wave) if room == REQUESTS else wave
    lines, size = token_limits.wave_of_requests(sizes, most_lines, most_bytes)
    if room == NOTHING:
        return lines, size, token_limits.tokens_of(size, ledger.ratio)
    return lines, size, lines if room == REQUESTS else 1


def _first(turn: Turn) -> int:
    """Return how much may go out before the limit is known."""
    facts, entry = turn.account.facts, turn.account.entry
    if facts.room == REQUESTS:
        return facts.room_size or entry.max_requests_per_shard
    return entry.first_enqueued_tokens or token_limits.lowest_published(turn.shard.model)


def _note_wait(turn: Turn, ledger: Ledger, most: int | None) -> None:
    """Say what the shard waits for: its turn, or the provider, if that refuses what should fit."""
    facts = turn.account.facts
    unit, whose = UNITS[facts.room], "" if facts.shares_room else f" for {turn.shard.model}"
    known = f"the limit is {most:,} {unit}" if most else "how much it takes is being found out"
    if not ledger.crowded:
        turn.save_wait(f"Waiting for room at the provider{whose}: {known}.")
        return
    turn.save_pause(
        f"The provider has no room{whose} though there should be some: {known}. Batchyard tries again with one provider "
        "batch at a time, and goes on once that is taken."
    )


def _pause_of_all(services: Services, refusals: int) -> int:
    """Answer the seconds in which no attempt tries, after so many refusals in a row: never longer than a shard waits."""
    settings = services.settings
    if not refusals:
        return 0
    return retry_wait(refusals, settings.retry_floor_seconds, settings.retry_ceiling_seconds, 1.0)


def _wait(services: Services, elapsed: int, *, known: bool, first: bool) -> int:
    """Return the seconds until an attempt looks for room again; `known` is the limit, `first` its place in the queue."""
    settings = services.settings
    floor = settings.retry_floor_seconds if known else floor_while_unknown(elapsed, settings.retry_floor_seconds)
    return room_wait(elapsed, floor, settings.retry_ceiling_seconds, services.chance(), soon=first or not known)
