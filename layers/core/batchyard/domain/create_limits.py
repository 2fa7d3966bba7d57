"""How many provider batches may be created: in an hour, and at once.

The hour is a sliding window, counted in short intervals. At once is what all workers of all batches may upload and create
side by side, so that they leave Lambda's concurrency to the others; each worker holds a slot for that time.
"""

import hashlib
from collections import Counter
from typing import Final

import msgspec

from batchyard.domain.numbers import HOUR

INTERVAL: Final = 300  # seconds
# A tenth of the hour's creations, and of the slots, is kept for attempts that have waited long: new attempts starve nobody.
KEPT_SHARE: Final = 10
LONG: Final = 1_800  # seconds
# A worker that dies keeps its slot for so long: no worker runs longer than a Lambda function may.
LONGEST_HELD: Final = 960


# A tenant that has had as much as each of those who wait may have leaves the rest to them. If nobody waits who has had less,
# it leaves the rest from this part of the hour on to the tenants that were there in this hour, who may come again.
SHARED_FROM: Final = 0.8
WAITS_FOR: Final = 900  # seconds after its last look a tenant no longer waits
MOST_NAMED, OTHERS = 50, "*"  # so many tenants have a place of their own; any others share one
LONGEST_NAME: Final = 40  # characters; the name of a tenant may have hundreds, and the record holds each 13 times


class Creations(msgspec.Struct, frozen=True, kw_only=True):
    """The record `CREATES#<provider>` / `HOUR`."""

    #: Creations by the number of their interval since 1970, and by tenant.
    counts: dict[str, dict[str, int]] = {}
    #: When each tenant that may not create was last told so, in Unix seconds.
    waiting: dict[str, int] = {}
    #: Rises with every write.
    version: int = 0


def one_more(seen: Creations, most: int, tenant: str, since: int, now: int) -> Creations | int:
    """Return the record with one more creation, for an attempt that began at `since`; or the seconds until one is allowed."""
    within = {interval: counts for interval, counts in seen.counts.items() if _end(interval) > now - HOUR}
    used = _by_tenant(within)
    tenant = _short(tenant)
    name = tenant if tenant in used or len(used) < MOST_NAMED else OTHERS
    total, waiting = sum(used.values()), _waiting(seen, now).keys() - {name, tenant}
    idle = used.keys() - waiting - {name}
    share = max(1, (most - sum(used[each] for each in idle)) // (len(waiting) + 1))
    is_owed = any(used[each] < share for each in waiting)
    most_own = share if is_owed else most * SHARED_FROM if idle or waiting else most
    if total < allowed(most, since, now) and used[name] < most_own:
        interval = str(now // INTERVAL)
        counts = within.get(interval, {})
        return Creations(
            counts={**within, interval: {**counts, name: counts.get(name, 0) + 1}},
            waiting=_waiting(seen, now), version=seen.version,
        )  # fmt: skip
    return min(_end(interval) for interval in within) + HOUR - now if within else HOUR


def total(creations: Creations) -> int:
    """Sum up the creations of the hour."""
    return sum(_by_tenant(creations.counts).values())


def with_waiting(seen: Creations, tenant: str, now: int) -> Creations:
    """Return the record with the tenant as one that waits; those that no longer look are dropped."""
    still = list(_waiting(seen, now).items())[:MOST_NAMED]
    return msgspec.structs.replace(seen, waiting={**dict(still), _short(tenant): now})


def is_waiting(seen: Creations, tenant: str, now: int) -> bool:
    """Tell whether the record says, not long ago, that the tenant waits."""
    return seen.waiting.get(_short(tenant), 0) > now - WAITS_FOR // 3


def allowed(most: int, since: int, now: int) -> int:
    """Return how many of `most` an attempt may count on that began at `since`."""
    return most if now - since >= LONG else most - most // KEPT_SHARE


def slot(attempt: str, now: int) -> str:
    """Name the slot of a worker that begins to submit an attempt now."""
    return f"{now + LONGEST_HELD:010}#{attempt}"


def is_over(held: str, now: int) -> bool:
    """Tell whether the worker of a slot has surely ended."""
    return int(held.partition("#")[0]) <= now


def _short(tenant: str) -> str:
    return tenant if len(tenant) <= LONGEST_NAME else hashlib.sha256(tenant.encode()).hexdigest()[:LONGEST_NAME]


def _waiting(seen: Creations, now: int) -> dict[str, int]:
    return {tenant: at for tenant, at in seen.waiting.items() if at > now - WAITS_FOR}


def _by_tenant(counts: dict[str, dict[str, int]]) -> Counter[str]:
    used: Counter[str] = Counter()
    for each in counts.values():
        used.update(each)
    return used


def _end(interval: str) -> int:
    return (int(interval) + 1) * INTERVAL
