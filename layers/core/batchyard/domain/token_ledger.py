"""The room of enqueued tokens at a provider: who may reserve, how much, and what each answer teaches about the limit."""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from batchyard.domain.numbers import DAY, HOUR
from batchyard.domain.token_limits import LEAST_RATIO, MILLION, MOST_RATIO, USUAL_RATIO

LONGEST_NAME: Final = 256  # bytes
KEEP_ENDED: Final = 2 * DAY  # an ended reservation is remembered: no late worker may reserve again
MARGIN: Final = 1.03  # times the ratio that an attempt has shown
# The bytes of an attempt that move the ratio half the way to what the attempt has shown. The ratio rises soon and falls
# slowly, because an estimate that is too high only costs room.
HALFWAY_UP, HALFWAY_DOWN = 50_000, MILLION
DENSER: Final = 1.5  # times the ratio, when an attempt that should have fitted is refused, …
KEPT_DENSER: Final = DAY  # … for this long at least
MOST_REFUSED_RATIO: Final = MILLION  # … but at most one token a byte, while no usage has shown more

# A provider that has not accepted an attempt for so many seconds may never do so: others no longer wait for its answer.
OVERDUE: Final = 300

# If the provider does not state its limit, an attempt that is alone is sent again so often as it is.
PATIENCE: Final = 2

# Before any limit is known, tokens go out up to a window: the lowest limit that is published for the model at first, then
# half more than the most that the provider ever took in at once. Only attempts that are small beside the published limit use
# the window: a refusal of one teaches as much as that of a large one and costs less. When a limit shows, the attempts of one
# growth are refused. With a doubling they would be twice as many, to save half a minute in a thousand small files.
GROWTH: Final = 1.5
SMALL_SHARE: Final = 10
# Of larger attempts, so many may be at the provider without a sign that it has taken them in: two at first, then half of
# those it has taken in, a handful at most. So few can be refused when the limit shows.
FIRST_UNCONFIRMED, MOST_UNCONFIRMED = 2, 5
MOST_COUNTED: Final = 100  # of those ahead, when no limit says when to stop counting
# A limit that was learned is tried again so rarely when more is wanted, and more often once more was taken.
PROBE_AFTER_REFUSAL, PROBE_AFTER_SUCCESS = DAY, HOUR
MOST_PROBED: Final = 2  # times the limit


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What one model has enqueued at a provider: the record `TOKENS#<provider>#<model>` / `LEDGER`. Times are Unix seconds."""

    #: Tokens of all reservations.
    enqueued: int = 0
    #: How many reservations there are.
    reservations: int = 0
    #: Enqueued tokens whose provider batch the provider has accepted.
    confirmed: int = 0
    #: Reservations whose provider batch the provider has not accepted yet; those that are overdue are counted apart.
    unconfirmed: int = 0
    overdue: int = 0
    #: The most tokens that were ever confirmed.
    accepted: int = 0
    #: The learned limit in tokens; None while none was learned.
    limit: int | None = None
    #: Whether the provider's message stated the limit.
    stated: bool = False
    #: From this time on one attempt may try whether the limit has risen.
    probe_at: int = 0
    #: Tokens per million bytes of requests.
    ratio: int = USUAL_RATIO
    #: The greatest `ratio` so far.
    highest_ratio: int = 0
    #: `ratio` does not fall below this until `least_until`.
    least_ratio: int = 0
    least_until: int = 0
    #: Refusals in a row of attempts that should have fitted.
    crowded: int = 0
    #: Nobody tries before this time; then one attempt at a time.
    crowded_until: int = 0
    #: The last place from which an attempt has entered; see `Reservation.place`.
    place: int = 0
    #: Rises with every write.
    version: int = 0


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens that one attempt holds or waits for: the record `TOKENS#<provider>#<model>` / `RESERVATION#<attempt>`."""

    attempt: str
    #: When the attempt began, in Unix seconds.
    since: int
    tenant: str = ""
    #: The place in the queue, in tokens: the least is first, then the oldest attempt. A tenant's next attempt stands behind
    #: its last one by the tokens of that one, so that a tenant with much work lets the others in between.
    place: int = 0
    #: Tokens that are reserved.
    tokens: int = 0
    #: Tokens that the attempt waits for.
    wanted: int = 0
    #: When its worker last looked for room, in Unix seconds.
    seen_at: int = 0
    waiting: bool = False
    confirmed: bool = False
    #: The provider has not accepted the tokens for so long that no other attempt waits for its answer.
    overdue: bool = False
    #: True for good: a late worker must not reserve for an attempt that has ended.
    ended: bool = False


class Ahead(msgspec.Struct, frozen=True):
    """The attempts that stand before."""

    reservations: int = 0
    #: Tokens that these attempts want together.
    tokens: int = 0


class Terms(msgspec.Struct, frozen=True):
    """The condition of a reservation: what must hold of the ledger when the tokens are reserved."""

    #: `enqueued` is at most this; None for no bound.
    most_enqueued: int | None = None
    #: `unconfirmed` is at most this; None for no bound.
    most_unconfirmed: int | None = None
    #: `probe_at` is this: the attempt is the one that may try whether the limit has risen. None for any other attempt.
    probed_at: int | None = None
    #: Seconds until the next attempt may try.
    probe_patience: int = PROBE_AFTER_REFUSAL


def ahead_of(older: Iterable[Reservation], limit: int | None, alive_since: int) -> Ahead:
    """Sum up the attempts that stand before and still look for room; each takes at most the whole limit."""
    reservations = tokens = 0
    for reservation in older:
        if reservation.seen_at >= alive_since:
            reservations, tokens = reservations + 1, tokens + min(reservation.wanted, limit or reservation.wanted)
        if reservations >= MOST_COUNTED or (limit is not None and tokens > limit):
            break
    return Ahead(reservations, tokens)


def terms(ledger: Ledger, limit: int | None, ahead: Ahead, tokens: int, now: int, first: int = 0) -> Terms | None:
    """Tell on what condition an attempt may enter, or None when it has to wait: nobody overtakes who waits longer.

    `limit` is the one to keep to, configured or learned; without one, `first` is the window in tokens to begin with.
    """
    if ledger.crowded and (now < ledger.crowded_until or ledger.unconfirmed or ahead.reservations):
        return None
    together = ledger.enqueued + ahead.tokens + tokens
    if limit is None:
        return _unlimited(ledger, ahead, together, tokens, first)
    if together <= limit:
        return Terms(most_enqueued=limit - tokens, most_unconfirmed=0 if ledger.crowded else None)
    if ledger.enqueued <= 0 and not ahead.reservations:  # a line that is larger than the limit by our estimate
        return Terms(most_enqueued=0)
    learned = ledger.limit is not None and ledger.limit <= limit
    is_first = not ahead.reservations and not ledger.unconfirmed
    if learned and is_first and now >= ledger.probe_at and together <= MOST_PROBED * limit:
        return Terms(most_unconfirmed=0, probed_at=ledger.probe_at)
    return None


def _unlimited(ledger: Ledger, ahead: Ahead, together: int, tokens: int, first: int) -> Terms | None:
    small = tokens * SMALL_SHARE <= first
    known = max(first, int(GROWTH * ledger.accepted)) if small else ledger.accepted
    if together <= known:
        return Terms(most_enqueued=known - tokens)
    taken_in = ledger.reservations - ledger.unconfirmed - ledger.overdue
    most = min(max(FIRST_UNCONFIRMED, taken_in // 2), MOST_UNCONFIRMED)
    return Terms(most_unconfirmed=most - 1) if ledger.unconfirmed + ahead.reservations < most else None


def recounted(ledger: Ledger, reservations: Iterable[Reservation]) -> Ledger:
    """Return the ledger with the sums of all its reservations."""
    held = [reservation for reservation in reservations if reservation.tokens]
    confirmed = sum(reservation.tokens for reservation in held if reservation.confirmed)
    overdue = sum(each.overdue and not each.confirmed for each in held)
    return msgspec.structs.replace(
        ledger, enqueued=sum(reservation.tokens for reservation in held), reservations=len(held), confirmed=confirmed,
        unconfirmed=sum(not each.confirmed for each in held) - overdue, overdue=overdue,
    )  # fmt: skip


def queue_end(ledger: Ledger, reservations: Iterable[Reservation]) -> int:
    """Return the place behind all attempts that wait: no tenant need stand farther back."""
    return max((each.place + each.wanted for each in reservations if each.waiting), default=ledger.place)


def short(model: str) -> str:
    """Name a model in a key of the table; a longer name than DynamoDB can hold is hashed."""
    name = model.encode("utf-8", "replace")
    return name.decode() if len(name) <= LONGEST_NAME else f"sha256:{hashlib.sha256(name).hexdigest()}"


def after_refusal(ledger: Ledger, stated: int | None, limit: int | None, now: int) -> dict[str, int | bool]:
    """Return what a refusal teaches; the tokens of the refused attempt are still reserved in the ledger.

    If no limit is stated, assume what is confirmed now, or half of what was refused. If our estimate should have fitted
    the stated limit, raise the ratio, unless our bytes could never fill the limit: then others fill the queue.
    """
    probe_at = now + PROBE_AFTER_REFUSAL
    if stated is None:
        return {"limit": max(1, ledger.confirmed, ledger.enqueued // 2), "stated": False, "probe_at": probe_at}
    learned: dict[str, int | bool] = {"limit": stated, "stated": True, "probe_at": probe_at}
    if is_unexpected(ledger, limit) and ledger.enqueued * MILLION // ledger.ratio >= stated:
        ratio = max(ledger.ratio, min(max(round(ledger.ratio * DENSER), ledger.highest_ratio), MOST_REFUSED_RATIO))
        learned.update(ratio=ratio, least_ratio=ratio, least_until=now + KEPT_DENSER)
    elif ledger.limit is None and ledger.confirmed > stated:  # what is confirmed fits, so that its estimate is too high
        learned["ratio"] = max(LEAST_RATIO, ledger.ratio * stated // ledger.confirmed)
    return learned


def crowding(ledger: Ledger, until: int) -> dict[str, int]:
    """Return what follows when an attempt that should have fitted is refused: others fill the queue."""
    return {"crowded": ledger.crowded + 1, "crowded_until": until}


def is_unexpected(ledger: Ledger, limit: int | None) -> bool:
    """Tell whether the reserved tokens should have fitted the limit."""
    return limit is not None and ledger.enqueued <= limit


def after_acceptance(ledger: Ledger, now: int) -> dict[str, int | bool]:
    """Return what it teaches that the provider accepted all that is confirmed; empty if that is no news."""
    if ledger.limit is not None and ledger.confirmed > ledger.limit:
        return {"limit": ledger.confirmed, "stated": False, "probe_at": now + PROBE_AFTER_SUCCESS, "crowded": 0}
    relieved: dict[str, int | bool] = {"crowded": 0} if ledger.crowded else {}
    return {**relieved, "accepted": ledger.confirmed} if ledger.confirmed > ledger.accepted else relieved


def after_usage(ledger: Ledger, sample: int, size: int, now: int) -> dict[str, int]:
    """Return what it teaches that an attempt of `size` bytes had the ratio `sample`; empty if that is no news.

    The highest ratio is kept: the ratio goes back there if an attempt that should have fitted is refused.
    """
    ratio = corrected(ledger, sample, size, now)
    return (
        {}
        if ratio == ledger.ratio
        else {"ratio": ratio, "highest_ratio": max(ratio, ledger.ratio, ledger.highest_ratio)}
    )


def corrected(ledger: Ledger, sample: int, size: int, now: int) -> int:
    """Return the ratio, moved towards the ratio that an attempt of `size` bytes has shown.

    An attempt that fills the limit moves the ratio half the way down, and no attempt moves it below half: an estimate
    that is too low is refused.
    """
    least = ledger.least_ratio if now < ledger.least_until else LEAST_RATIO
    seen = max(least, LEAST_RATIO, ledger.ratio // 2, min(round(sample * MARGIN), MOST_RATIO))
    filling = min((ledger.limit or HALFWAY_DOWN) * MILLION // ledger.ratio, HALFWAY_DOWN)
    halfway = HALFWAY_UP if seen > ledger.ratio else filling
    return ledger.ratio + round((seen - ledger.ratio) * size / (size + halfway))
