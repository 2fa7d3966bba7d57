"""How many provider batches may be created in an hour: a sliding window, counted in short intervals."""

from typing import Final

import msgspec

from batchyard.domain.durations import HOUR

INTERVAL: Final = 300  # seconds
# A tenth of the hour's creations is kept for attempts that have waited long, so that new attempts starve nobody.
KEPT_SHARE: Final = 10
LONG: Final = 1_800  # seconds


class Creations(msgspec.Struct, frozen=True, kw_only=True):
    """The record `CREATES#<provider>` / `HOUR`."""

    #: Creations by the number of their interval since 1970.
    counts: dict[str, int] = {}
    #: Rises with every write.
    version: int = 0


def one_more(seen: Creations, most: int, since: int, now: int) -> Creations | int:
    """Return the record with one more creation, for an attempt that began at `since`; or the seconds until one is allowed."""
    within = {interval: count for interval, count in seen.counts.items() if _end(interval) > now - HOUR}
    allowed = most if now - since >= LONG else most - most // KEPT_SHARE
    if sum(within.values()) < allowed:
        interval = str(now // INTERVAL)
        return Creations(counts={**within, interval: within.get(interval, 0) + 1}, version=seen.version)
    return min(_end(interval) for interval in within) + HOUR - now if within else HOUR


def _end(interval: str) -> int:
    return (int(interval) + 1) * INTERVAL
