"""The rules of the room that a provider has for enqueued tokens: who may enter, how much at once, and what is learned."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

import msgspec

from batchyard.domain.durations import DAY, HOUR
from batchyard.domain.token_limits import BYTES_PER_TOKEN

MILLION: Final = 1_000_000
USUAL_RATIO: Final = MILLION // BYTES_PER_TOKEN
# Pictures in base64 have some hundred bytes to a token, addresses of pictures many tokens to a byte.
LEAST_RATIO, MOST_RATIO = 1_000, 20 * MILLION
LONGEST_NAME: Final = 256  # bytes
MARGIN: Final = 1.03  # a learned ratio is taken for so much more
# An attempt moves the ratio as far as its bytes are evidence: half the way with so many. It is soon raised and slowly lowered,
# for a guess that is too high only costs room.
HALFWAY_UP, HALFWAY_DOWN = 50_000, MILLION
DENSER: Final = 1.5  # so much more is expected when what should have fitted is refused, …
KEPT_DENSER: Final = DAY  # … for this long at least
MOST_REFUSED_RATIO: Final = MILLION  # … but no more than a token to a byte, as long as nobody has counted
# Enough of an attempt's lines must be answered for its usage to tell of all its bytes.
ENOUGH_ANSWERS: Final = 0.9

# So often in a row an attempt that is alone is sent again as it is, when the provider does not say what its limit is.
PATIENCE: Final = 2

# Before any limit is known, so many attempts may be at the provider without a sign that it has taken them in, and half
# of those it has taken in if that is more: so few can be refused when the limit shows.
FIRST_UNCONFIRMED: Final = 2
MOST_COUNTED: Final = 100  # of those ahead, when no limit says when to stop counting
# A limit that was learned is tried again so rarely when more is wanted, and more often once more was taken.
PROBE_AFTER_REFUSAL, PROBE_AFTER_SUCCESS = DAY, HOUR
MOST_PROBED: Final = 2  # times the limit


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What is at a provider of one model: the record `TOKENS#<provider>#<model>` / `LEDGER`. Times are Unix seconds."""

    #: Tokens of all reservations.
    enqueued: int = 0
    #: How many reservations there are.
    reservations: int = 0
    #: Tokens that the provider has shown to have taken in, of those enqueued.
    confirmed: int = 0
    #: Reservations that the provider has not yet shown to have taken in.
    unconfirmed: int = 0
    #: The most tokens that ever were confirmed.
    accepted: int = 0
    #: The learned limit in tokens; None while none was met.
    limit: int | None = None
    #: Whether the provider's own message told the limit.
    stated: bool = False
    #: From then on one attempt may try whether the limit has risen.
    probe_at: int = 0
    #: Tokens per million bytes of requests.
    ratio: int = USUAL_RATIO
    #: The most that `ratio` has been.
    highest_ratio: int = 0
    #: The least that `ratio` may be, until `least_until`.
    least_ratio: int = 0
    least_until: int = 0
    #: Refusals in a row of what should have fitted.
    crowded: int = 0
    #: Until then nobody need try; then one at a time.
    crowded_until: int = 0
    #: Rises with every write.
    version: int = 0


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt holds or waits for: the record `TOKENS#<provider>#<model>` / `RESERVATION#<attempt>`."""

    attempt: str
    #: When the attempt began, in Unix seconds.
    since: int
    #: Tokens that are reserved.
    tokens: int = 0
    #: Tokens that are waited for.
    wanted: int = 0
    #: When its worker last looked for room, in Unix seconds.
    seen_at: int = 0
    waiting: bool = False
    confirmed: bool = False
    #: True for good: a late worker must not reserve for an attempt that has ended.
    ended: bool = False


class Ahead(msgspec.Struct, frozen=True):
    """How many attempts have waited longer, and how many tokens they want together."""

    reservations: int = 0
    tokens: int = 0


class Terms(msgspec.Struct, frozen=True):
    """On what condition an attempt may enter: what must still be so of the ledger when its tokens are reserved."""

    most_enqueued: int | None = None
    most_unconfirmed: int | None = None
    probed_at: int | None = None  # this is the one attempt that may try whether a limit has risen …
    probe_patience: int = PROBE_AFTER_REFUSAL  # … and the next one may so many seconds later


def tokens_of(size: int, ratio: int) -> int:
    """Estimate the prompt tokens of `size` bytes of requests at a ratio in tokens per million bytes."""
    return max(1, -(-size * ratio // MILLION))


def wave(sizes: Sequence[int], ratio: int, most: int | None) -> tuple[int, int]:
    """Tell how many of the first lines of these sizes go out in one attempt of at most so many tokens, and their bytes.

    One line goes in any case: whether it fits, only the provider knows.
    """
    ends = list(accumulate(sizes))
    if most is None or not ends:
        return len(ends), ends[-1] if ends else 0
    count = max(1, bisect_right(ends, most * MILLION // ratio))
    return count, ends[count - 1]


def ahead_of(older: Iterable[Reservation], limit: int | None, alive_since: int) -> Ahead:
    """Sum up those who have waited longer and still come to look; none can take more than the whole limit."""
    reservations = tokens = 0
    for reservation in older:
        if reservation.seen_at >= alive_since:
            reservations, tokens = reservations + 1, tokens + min(reservation.wanted, limit or reservation.wanted)
        if reservations >= MOST_COUNTED or (limit is not None and tokens > limit):
            break
    return Ahead(reservations, tokens)


def terms(ledger: Ledger, limit: int | None, ahead: Ahead, tokens: int, now: int) -> Terms | None:
    """Tell on what condition an attempt may enter, or None when it has to wait: nobody overtakes who waits longer.

    `limit` is the one to keep to, configured or learned.
    """
    if ledger.crowded and (now < ledger.crowded_until or ledger.unconfirmed or ahead.reservations):
        return None
    together = ledger.enqueued + ahead.tokens + tokens
    if limit is None:
        return _unlimited(ledger, ahead, together, tokens)
    if together <= limit:
        return Terms(most_enqueued=limit - tokens, most_unconfirmed=0 if ledger.crowded else None)
    if ledger.enqueued <= 0 and not ahead.reservations:  # a line that is larger than the limit by our estimate
        return Terms(most_enqueued=0)
    learned = ledger.limit is not None and ledger.limit <= limit
    first = not ahead.reservations and not ledger.unconfirmed
    if learned and first and now >= ledger.probe_at and together <= MOST_PROBED * limit:
        return Terms(most_unconfirmed=0, probed_at=ledger.probe_at)
    return None


def _unlimited(ledger: Ledger, ahead: Ahead, together: int, tokens: int) -> Terms | None:
    if together <= ledger.accepted:
        return Terms(most_enqueued=ledger.accepted - tokens)
    window = max(FIRST_UNCONFIRMED, (ledger.reservations - ledger.unconfirmed) // 2)
    return Terms(most_unconfirmed=window - 1) if ledger.unconfirmed + ahead.reservations < window else None


def recounted(ledger: Ledger, reservations: Iterable[Reservation]) -> Ledger:
    """Return the ledger with the sums of these reservations, which are all there are."""
    held = [reservation for reservation in reservations if reservation.tokens]
    confirmed = [reservation.tokens for reservation in held if reservation.confirmed]
    return msgspec.structs.replace(
        ledger, enqueued=sum(reservation.tokens for reservation in held), reservations=len(held), confirmed=sum(confirmed),
        unconfirmed=len(held) - len(confirmed),
    )  # fmt: skip


def short(model: str) -> str:
    """Name a model in a key: DynamoDB's keys end at 1,024 bytes, and a user's model need not."""
    name = model.encode("utf-8", "replace")
    return name.decode() if len(name) <= LONGEST_NAME else f"sha256:{hashlib.sha256(name).hexdigest()}"


def after_refusal(ledger: Ledger, stated: int | None, limit: int | None, now: int) -> dict[str, int | bool]:
    """Tell what a refusal teaches about the ledger, in which the refused attempt's tokens are still reserved.

    Without a stated limit that is what has been taken in beside, or half of what was too much. With one, all together must
    be more than we think when they should have fitted, unless they have fewer bytes than the limit has tokens: then others
    of the same account fill the queue.
    """
    probe_at = now + PROBE_AFTER_REFUSAL
    if stated is None:
        return {"limit": max(1, ledger.confirmed, ledger.enqueued // 2), "stated": False, "probe_at": probe_at}
    learned: dict[str, int | bool] = {"limit": stated, "stated": True, "probe_at": probe_at}
    if is_unexpected(ledger, limit) and ledger.enqueued * MILLION // ledger.ratio >= stated:
        ratio = max(ledger.ratio, min(max(round(ledger.ratio * DENSER), ledger.highest_ratio), MOST_REFUSED_RATIO))
        learned.update(ratio=ratio, least_ratio=ratio, least_until=now + KEPT_DENSER)
    elif (
        ledger.limit is None and ledger.confirmed > stated
    ):  # all that was taken in together must be less than we think
        learned["ratio"] = max(LEAST_RATIO, ledger.ratio * stated // ledger.confirmed)
    return learned


def crowding(ledger: Ledger, until: int) -> dict[str, int]:
    """Tell what follows when what should have fitted is refused: the queue is fuller than we can know."""
    return {"crowded": ledger.crowded + 1, "crowded_until": until}


def is_unexpected(ledger: Ledger, limit: int | None) -> bool:
    """Tell whether what is reserved should have fitted the limit we kept to."""
    return limit is not None and ledger.enqueued <= limit


def after_acceptance(ledger: Ledger, now: int) -> dict[str, int | bool]:
    """Tell what it teaches that the provider has taken in all that is confirmed; nothing when it is no more than known."""
    if ledger.limit is not None and ledger.confirmed > ledger.limit:
        return {"limit": ledger.confirmed, "stated": False, "probe_at": now + PROBE_AFTER_SUCCESS, "crowded": 0}
    relieved: dict[str, int | bool] = {"crowded": 0} if ledger.crowded else {}
    return {**relieved, "accepted": ledger.confirmed} if ledger.confirmed > ledger.accepted else relieved


def sample_of(size: int, lines: int, answered: int, input_tokens: int) -> int | None:
    """Take the ratio from the usage of an attempt, in tokens per million bytes; None when too little was answered."""
    if not size or not input_tokens or answered < lines * ENOUGH_ANSWERS:
        return None
    return round(input_tokens * MILLION * lines / (size * answered))


def after_usage(ledger: Ledger, sample: int, size: int, now: int) -> dict[str, int]:
    """Tell what it teaches that an attempt of `size` bytes had this ratio; nothing when it is no news.

    The ratio it is lowered from is kept, to go back there when what should have fitted is refused.
    """
    ratio = corrected(ledger, sample, size, now)
    return (
        {}
        if ratio == ledger.ratio
        else {"ratio": ratio, "highest_ratio": max(ratio, ledger.ratio, ledger.highest_ratio)}
    )


def corrected(ledger: Ledger, sample: int, size: int, now: int) -> int:
    """Move the ratio towards what an attempt of `size` bytes has shown.

    What fills the limit is evidence enough to lower it, but by half at most: what is guessed too low is refused.
    """
    least = ledger.least_ratio if now < ledger.least_until else LEAST_RATIO
    seen = max(least, LEAST_RATIO, ledger.ratio // 2, min(round(sample * MARGIN), MOST_RATIO))
    filling = min((ledger.limit or HALFWAY_DOWN) * MILLION // ledger.ratio, HALFWAY_DOWN)
    halfway = HALFWAY_UP if seen > ledger.ratio else filling
    return ledger.ratio + round((seen - ledger.ratio) * size / (size + halfway))
