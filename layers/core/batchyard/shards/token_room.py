"""The enqueued tokens that all shards share: reserved before a provider batch is made, released when the batch ends.

A reservation has its attempt's key, so each call may be made twice. The shard's next step repairs what a crash left
behind; the sweep repairs the rest from the records of the shards, see `recovery/token_audit`.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from batchyard.domain import create_limits, token_ledger, token_limits
from batchyard.domain.pacing import retry_wait, room_wait
from batchyard.domain.shard import Shard, change, change_attempt
from batchyard.domain.token_ledger import Ledger, Reservation
from batchyard.observability import logger
from batchyard.services import Services

if TYPE_CHECKING:
    from batchyard.shards.turn import Turn

LOOKS_MISSED: Final = 3  # longest waits without a look, after which others wait for this attempt no more
TOLD_AFTER: Final = 300  # seconds of waiting before the batch tells of it
TRIES: Final = 5  # to count a creation that others count at the same time
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


def provider_of(services: Services) -> str:
    """Name the provider whose room it is."""
    return services.token_ledger_store.provider


def name_of(services: Services, model: str) -> str:
    """Name the ledger of a model."""
    return services.token_ledger_store.name_of(model)


def reserve(turn: "Turn", sizes: Sequence[int]) -> int:
    """Reserve tokens for the attempt under way; answer the seconds to wait if there is no room, else 0.

    `sizes` are the bytes of the unfinished lines. The attempt takes as many of the first as the limit allows.
    """
    services, now = turn.services, turn.services.now()
    store, name = services.token_ledger_store, name_of(services, turn.shard.model)
    known = store.reservation(name, turn.shard.attempt_key)
    if known is not None and known.tokens:
        return 0
    ledger = store.read(name)
    most = _limit(services, turn.shard.model, ledger)
    _fit_to_room(turn, sizes, ledger, most)
    attempt, ttl = turn.attempt, turn.shard.expires_at_ttl
    wanted = Reservation(attempt=turn.shard.attempt_key, since=attempt.started_at, wanted=attempt.tokens, seen_at=now)
    alive_since = now - LOOKS_MISSED * services.settings.retry_ceiling_seconds
    ahead = token_ledger.ahead_of(store.ahead(name, wanted), most, alive_since)
    first = services.settings.first_enqueued_tokens or token_limits.lowest_published(turn.shard.model)
    terms = token_ledger.terms(ledger, most, ahead, wanted.wanted, now, first)
    if terms is not None and store.take(name, wanted, terms, ttl):
        return 0
    store.wait(name, wanted, ttl)
    _note_wait(turn, most)
    return _wait(services, now - attempt.started_at, soon=most is None or not ahead.reservations)


def may_create(services: Services, shard: Shard) -> int:
    """Count a creation in the provider's hour; answer the seconds to wait when there may be no more."""
    most, provider, since = services.settings.max_creates_per_hour, provider_of(services), shard.attempts[-1].started_at
    for _ in range(TRIES if most else 0):
        seen = services.token_ledger_store.creations(provider)
        counted = create_limits.one_more(seen, most, since, services.now())
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


def release_ended(services: Services, shard: Shard) -> None:
    """Release what a shard holds, if its latest attempt has ended, and learn how many tokens its bytes were."""
    if not shard.attempts or not (shard.done or shard.attempt is None):
        return
    if not release(services, shard, ended=True):
        return
    store, name, attempt = services.token_ledger_store, name_of(services, shard.model), shard.attempts[-1]
    counted = attempt.usage.input_tokens if attempt.usage else 0
    sample = token_limits.sample_of(attempt.bytes, attempt.lines, attempt.succeeded, counted)
    if sample is not None:
        learned = token_ledger.after_usage(store.read(name), sample, attempt.bytes, services.now())
        if learned:
            store.change(name, **learned)


def release(services: Services, shard: Shard, *, ended: bool) -> bool:
    """Release the tokens of the latest attempt and leave the queue, for good if it has `ended`; False if nothing was held."""
    name = name_of(services, shard.model)
    reservation = services.token_ledger_store.reservation(name, shard.attempt_key)
    if reservation is None or reservation.ended or not (reservation.tokens or reservation.waiting or ended):
        return False
    return services.token_ledger_store.release(name, reservation, services.now() + token_ledger.KEEP_ENDED, ended=ended)


def _limit(services: Services, model: str, ledger: Ledger) -> int | None:
    return services.token_ledger_store.limit_of(model, ledger)


def _fit_to_room(turn: "Turn", sizes: Sequence[int], ledger: Ledger, most: int | None) -> None:
    """Record what the attempt will send; an uploaded file is kept only if it holds just these lines."""
    shard, attempt = turn.shard, turn.attempt
    most_bytes = turn.services.token_ledger_store.most_bytes(turn.services.now())
    lines, size = token_limits.wave(
        sizes, ledger.ratio, min(filter(None, (most, shard.wave)), default=None), most_bytes
    )
    tokens = token_limits.tokens_of(size, ledger.ratio)
    if lines == attempt.lines and size == attempt.bytes and abs(tokens - attempt.tokens) * NEAR <= tokens:
        return
    dropped: dict[str, Any] = {} if lines == (shard.file_lines or shard.unfinished) else {"file_id": None}
    turn.save(change(change_attempt(shard, lines=lines, bytes=size, tokens=tokens), file_lines=lines, **dropped))


def _note_wait(turn: "Turn", most: int | None) -> None:
    """Have the batch tell that it waits, once it has waited for long."""
    if turn.services.now() - turn.attempt.started_at >= TOLD_AFTER:
        known = f"the limit is {most:,} enqueued tokens" if most else "how much it takes is being found out"
        turn.wait_for_room(f"Waiting for room at the provider for {turn.shard.model}: {known}.")


def _pause_of_all(services: Services, refusals: int) -> int:
    """Answer the seconds in which no attempt tries, after so many refusals in a row: never longer than a shard waits."""
    return refusals and retry_wait(
        refusals, services.settings.retry_floor_seconds, services.settings.retry_ceiling_seconds, 1.0
    )


def _wait(services: Services, elapsed: int, *, soon: bool) -> int:
    settings = services.settings
    return room_wait(
        elapsed, settings.retry_floor_seconds, settings.retry_ceiling_seconds, services.chance(), soon=soon
    )
