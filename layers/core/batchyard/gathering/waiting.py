"""How much waits in a gather folder: the files that no batch has yet.

A count lists the whole folder, with the claim of each object in it, and costs $0.00007 for a thousand of them: $0.005 for a
thousand requests to S3, $0.0625 for a million records of DynamoDB. So a count between the times of a schedule is followed by a
rest that fits what it cost. With a sweep every five minutes no folder costs more than $0.22 a day for each schedule.
"""

from typing import Final

import msgspec

from batchyard.domain import object_keys
from batchyard.domain.errors import NotFound
from batchyard.domain.numbers import HOUR, MINUTE
from batchyard.domain.step import TIME_TO_END, OutOfTime, TimeBudget
from batchyard.gathering import claims, line_counts
from batchyard.gathering.listing import Listing, walk
from batchyard.services import Services

LONGEST_LISTING: Final = 4 * MINUTE  # of one count, as a batch is to be made behind it; the next one goes on
# Seconds, with those in which a batch is begun behind it.
TIME_TO_COUNT: Final = LONGEST_LISTING + line_counts.LONGEST_COUNT + 2 * TIME_TO_END
# A listing is not gone on with that was left so long ago: what came since, before the place it reached, it does not know.
OLDEST_LISTING: Final = HOUR
REST: Final = 30  # seconds for each request but the first of a listing


class LastCount(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a count for the next one."""

    #: Until when there is no count, but at a time of the clock; in Unix seconds.
    rest_until: int = 0
    #: How far the folder is listed; None where the listing came to its end.
    listing: Listing | None = None
    #: When it was there.
    noted_at: int = 0


class Waiting(msgspec.Struct, frozen=True):
    """What waits in a folder."""

    files: int
    bytes: int
    #: 0 where they were not counted.
    lines: int
    #: When the first of them came, in Unix seconds; None where none waits.
    since: int | None
    #: Whether there may be more lines: the next count goes on.
    uncounted: bool = False
    #: Whether there may be more files: the next count goes on listing.
    unlisted: bool = False


def count_waiting(
    services: Services, prefix: str, *, with_lines: bool, only_new: bool = False, watcher: str = ""
) -> Waiting:
    """Return what waits in the folder `gather/<tenant>/<name>/`; to count lines, each file is read once.

    `only_new` leaves out the files of batches of which nothing was sent: they would most likely be refused again. What is
    left of a long listing, the next count of the same `watcher` goes on with.
    """
    owner = object_keys.owner_of_folder(prefix)
    if owner is None:
        raise ValueError(f"{prefix} is no gather folder")
    every, unlisted = _listed(services, *owner, object_keys.watched(watcher or prefix))
    files = [each.file for each in every if not (only_new and each.void_owner)]
    there = None if unlisted else {line_counts.name_of(each.file) for each in every}
    lines, uncounted = line_counts.count_lines(services, prefix, files, there) if with_lines else (0, False)
    since = min((each.at for each in files), default=None)
    return Waiting(len(files), sum(each.size for each in files), lines, since, uncounted, unlisted)


def rests(services: Services, watcher: str) -> bool:
    """Tell whether the last count cost so much that there is none yet."""
    return services.now() < _last(services, object_keys.watched(watcher)).rest_until


def rest(pages: int) -> int:
    """Return the seconds from one count to the next, by the requests that listed the folder."""
    return max(0, pages - 1) * REST


def _listed(services: Services, tenant: str, name: str, kept: str) -> tuple[list[claims.Candidate], bool]:
    """List the files that wait, from where the last count stopped, and tell whether there may be more."""
    last, until = _last(services, kept), services.clock() + LONGEST_LISTING + TIME_TO_END
    begun = last.listing if services.now() - last.noted_at < OLDEST_LISTING else None
    so_far, left = begun or Listing(), last.listing is not None

    def keep(listing: Listing) -> None:
        nonlocal left
        left = True
        services.bucket.put(kept, msgspec.msgpack.encode(LastCount(0, listing, services.now())))

    try:
        budget = TimeBudget(lambda: until - services.clock())
        walk(services, claims.Nobody(tenant, name), so_far, keep, budget)
        unlisted = False
    except OutOfTime:
        unlisted = True
    found, pause = so_far.first(), rest(so_far.pages)
    if not unlisted and (pause or left):
        services.bucket.put(kept, msgspec.msgpack.encode(LastCount(services.now() + pause)))
    if begun is not None:  # what an earlier count found may belong to a batch since
        found = claims.still_waiting(services, tenant, name, found)
    return found, unlisted


def _last(services: Services, kept: str) -> LastCount:
    try:
        return msgspec.msgpack.decode(services.bucket.get(kept), type=LastCount)
    except (NotFound, msgspec.ValidationError):  # there was none, or one by a version that counted otherwise
        return LastCount()
