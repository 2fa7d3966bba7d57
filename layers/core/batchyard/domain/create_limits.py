"""How many provider batches may be created: in an hour, and at once.

The hour is a sliding window, counted in short intervals. At once is what all workers of all batches may upload and create
side by side, so that they leave Lambda's concurrency to the others; each worker holds a slot for that time.
"""

from typing import Final

import msgspec

from batchyard.domain.durations import HOUR

INTERVAL: Final = 300  # seconds
# A tenth of the hour's creations, and of the slots, is kept for attempts that have waited long: new attempts starve nobody.
KEPT_SHARE: Final = 10
LONG: Final = 1_800  # seconds
# A worker that dies keeps its slot for so long: no worker runs longer than a Lambda function may.
LONGEST_HELD: Final = 960


class Creations(msgspec.Struct, frozen=True, kw_only=True):
    """The record `CREATES#<provider>` / `HOUR`."""

    #: Creations by the number of their interval since 1970.
    counts: dict[str, int] = {}
    #: Rises with every write.
    version: int = 0


def one_more(seen: Creations, most: int, since: int, now: int) -> Creations | int:
    """Return the record with one more creation, for an attempt that began at `since`; or the seconds until one is allowed."""
    within = {interval: count for interval, count in seen.counts.items() if _end(interval) > now - HOUR}
    if sum(within.values()) < allowed(most, since, now):
        interval = str(now // INTERVAL)
        return Creations(counts={**within, interval: within.get(interval, 0) + 1}, version=seen.version)
    return min(_end(interval) for interval in within) + HOUR - now if within else HOUR


def allowed(most: int, since: int, now: int) -> int:
    """Return how many of `most` an attempt may count on that began at `since`."""
    return most if now - since >= LONG else most - most // KEPT_SHARE


def slot(attempt: str, now: int) -> str:
    """Name the slot of a worker that begins to submit an attempt now."""
    return f"{now + LONGEST_HELD:010}#{attempt}"


def is_over(held: str, now: int) -> bool:
    """Tell whether the worker of a slot has surely ended."""
    return int(held.partition("#")[0]) <= now


def _end(interval: str) -> int:
    return (int(interval) + 1) * INTERVAL
