"""The room of enqueued tokens that all shards share: reservation it before a provider batch is made, give it back at its end.

A reservation goes by its attempt's key, so each move may be made again. What a crash leaves behind the shard's next step mends;
the sweep mends the rest from the records of the shards; see `auditing`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from batchyard.domain import create_rate, token_ledger, token_limits
from batchyard.domain.pacing import retry_wait, room_wait
from batchyard.domain.shard import Shard, change, change_attempt
from batchyard.domain.token_ledger import Ledger, Reservation
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import pauses

KEPT: Final = 2 * 86_400  # seconds an ended reservation is remembered, that no late worker may reservation again
LOOKS_MISSED: Final = 3  # the longest waits that one who waits may let pass, before others wait for him no more
TOLD_AFTER: Final = 300  # seconds of waiting before the batch tells of it
TRIES: Final = 5  # to count a creation that others count at the same time
NEAR: Final = 10  # an estimate is kept as it is until it is a tenth off


class Refusal(NamedTuple):
    """What the ledger made of a refusal: the limit kept to from now on, and whether we had known no better."""

    limit: int | None
    stated: bool
    unexpected: bool
    alone: bool


def provider_of(services: Services) -> str:
    """Name the provider whose room it is."""
    return services.token_ledger_store.provider


def name_of(services: Services, model: str) -> str:
    """Name the ledger of a model."""
    return services.token_ledger_store.name_of(model)


def reserve(services: Services, shard: Shard, sizes: Sequence[int]) -> tuple[Shard, int]:
    """Reserve room for the attempt under way; answer the shard as it is then, and the seconds to wait if there is none.

    `sizes` are the bytes of its unfinished lines, of which as many of the first go out as the limit allows.
    """
    name, now = name_of(services, shard.model), services.now()
    known = services.token_ledger_store.reservation(name, shard.attempt_key)
    if known is not None and known.tokens:
        return shard, 0
    ledger = services.token_ledger_store.read(name)
    most = _limit(services, shard.model, ledger)
    shard = _fit_to_room(services, shard, sizes, ledger, most)
    attempt = shard.attempts[-1]
    reservation = Reservation(attempt=shard.attempt_key, since=attempt.started_at, wanted=attempt.tokens, seen_at=now)
    alive_since = now - LOOKS_MISSED * services.settings.retry_ceiling_seconds
    ahead = token_ledger.ahead_of(services.token_ledger_store.ahead(name, reservation), most, alive_since)
    terms = token_ledger.terms(ledger, most, ahead, reservation.wanted, now)
    if terms is not None and services.token_ledger_store.take(name, reservation, terms, shard.expires_at_ttl):
        return shard, 0
    services.token_ledger_store.wait(name, reservation, shard.expires_at_ttl)
    soon = most is None or not ahead.reservations
    return _note_wait(services, shard, most, now), _wait(services, now - attempt.started_at, soon=soon)


def may_create(services: Services, shard: Shard) -> int:
    """Count a creation in the provider's hour; answer the seconds to wait when there may be no more."""
    most, provider, since = services.settings.max_creates_per_hour, provider_of(services), shard.attempts[-1].started_at
    for _ in range(TRIES if most else 0):
        seen = services.token_ledger_store.creations(provider)
        counted = create_rate.one_more(seen, most, since, services.now())
        if isinstance(counted, int):
            logger.info("no more creations this hour", provider=provider, seconds=counted)
            return min(counted, services.settings.retry_ceiling_seconds)
        if services.token_ledger_store.save_creations(provider, seen, counted):
            return 0
    return _wait(services, 0, soon=True) if most else 0


def record_accepted(services: Services, shard: Shard) -> None:
    """Note that the provider has taken in the provider batch of the attempt under way."""
    name = name_of(services, shard.model)
    reservation = services.token_ledger_store.reservation(name, shard.attempt_key)
    if (
        reservation is None
        or not reservation.tokens
        or reservation.confirmed
        or not services.token_ledger_store.confirm(name, reservation)
    ):
        return
    learned = token_ledger.after_acceptance(services.token_ledger_store.read(name), services.now())
    if learned:
        logger.info("room learned", ledger=name, learned=learned)
        services.token_ledger_store.change(name, **learned)


def record_refused(services: Services, shard: Shard, messages: Iterable[str], in_a_row: int) -> Refusal:
    """Learn from the provider's word that there is no room for the attempt under way, which is the `in_a_row`th refused."""
    name, tokens = name_of(services, shard.model), shard.attempts[-1].tokens
    ledger = services.token_ledger_store.read(name)
    before = _limit(services, shard.model, ledger)
    stated = next(filter(None, map(token_limits.stated_limit, messages)), None)
    alone = ledger.enqueued <= tokens
    unexpected = token_ledger.is_unexpected(ledger, before)
    learned: dict[str, int | bool] = {}
    if stated is not None or not alone or in_a_row > token_ledger.PATIENCE:
        learned.update(token_ledger.after_refusal(ledger, stated, before, services.now()))
    if unexpected:
        learned.update(token_ledger.crowding(ledger, services.now() + _pause_of_all(services, ledger.crowded)))
    if learned:
        logger.warning("room learned", ledger=name, enqueued=ledger.enqueued, learned=learned)
        services.token_ledger_store.change(name, **learned)
        ledger = msgspec.structs.replace(ledger, **learned)
    return Refusal(_limit(services, shard.model, ledger), ledger.stated, unexpected, alone)


def release_ended(services: Services, batch_id: str, number: int) -> None:
    """Give back what a shard holds, if its latest attempt has ended, and learn how many tokens its bytes were."""
    shard = services.batch_store.shard(batch_id, number)
    if shard is None or not shard.attempts or not (shard.done or shard.attempt is None):
        return
    name = name_of(services, shard.model)
    if not release(services, shard, ended=True):
        return
    attempt = shard.attempts[-1]
    counted = attempt.usage.input_tokens if attempt.usage else 0
    sample = token_ledger.sample_of(attempt.bytes, attempt.lines, attempt.succeeded, counted)
    if sample is not None:
        learned = token_ledger.after_usage(
            services.token_ledger_store.read(name), sample, attempt.bytes, services.now()
        )
        if learned:
            services.token_ledger_store.change(name, **learned)


def release(services: Services, shard: Shard, *, ended: bool) -> bool:
    """Give back what the latest attempt holds and leave the queue, for good if it has `ended`; False if that is done."""
    name = name_of(services, shard.model)
    reservation = services.token_ledger_store.reservation(name, shard.attempt_key)
    if reservation is None or reservation.ended or not (reservation.tokens or reservation.waiting or ended):
        return False
    return services.token_ledger_store.release(name, reservation, services.now() + KEPT, ended=ended)


def _limit(services: Services, model: str, ledger: Ledger) -> int | None:
    return services.token_ledger_store.limit_of(model, ledger)


def _fit_to_room(services: Services, shard: Shard, sizes: Sequence[int], ledger: Ledger, most: int | None) -> Shard:
    """Record what the attempt will send; a file that was uploaded is kept only if it holds just these lines."""
    attempt = shard.attempts[-1]
    lines, size = token_ledger.wave(sizes, ledger.ratio, min(filter(None, (most, shard.wave)), default=None))
    tokens = token_ledger.tokens_of(size, ledger.ratio)
    if lines == attempt.lines and size == attempt.bytes and abs(tokens - attempt.tokens) * NEAR <= tokens:
        return shard
    sized: dict[str, Any] = {} if lines == (shard.file_lines or shard.unfinished) else {"file_id": None}
    after = change(change_attempt(shard, lines=lines, bytes=size, tokens=tokens), file_lines=lines, **sized)
    return services.batch_store.save_shard(shard, after)


def _note_wait(services: Services, shard: Shard, most: int | None, now: int) -> Shard:
    if now - shard.attempts[-1].started_at < TOLD_AFTER:
        return shard
    known = f"the limit is {most:,} enqueued tokens" if most else "how much it takes is being found out"
    return pauses.wait_for_room(services, shard, f"Waiting for room at the provider for {shard.model}: {known}.")


def _pause_of_all(services: Services, refusals: int) -> int:
    """Answer the seconds in which nobody tries after so many refusals before this one: never longer than a shard waits."""
    return refusals and retry_wait(
        refusals, services.settings.retry_floor_seconds, services.settings.retry_ceiling_seconds, 1.0
    )


def _wait(services: Services, elapsed: int, *, soon: bool) -> int:
    settings = services.settings
    return room_wait(
        elapsed, settings.retry_floor_seconds, settings.retry_ceiling_seconds, services.chance(), soon=soon
    )
