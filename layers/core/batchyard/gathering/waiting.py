"""How much waits in a gather folder: the files that no batch has yet.

A look lists the whole folder, with the claim of each object in it, and costs $0.00007 for a thousand of them: $0.005 for a
thousand requests to S3, $0.0625 for a million records of DynamoDB. So a look between the times of a schedule is followed by a
rest that fits what it cost. With a sweep every five minutes no folder costs more than $0.22 a day for each schedule.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from batchyard.adapters.file_list import GatheredFile
from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject
from batchyard.domain.errors import NotFound
from batchyard.domain.numbers import HOUR, MINUTE
from batchyard.domain.step import TIME_TO_END, OutOfTime, TimeBudget
from batchyard.gathering import folder
from batchyard.services import Services

READERS: Final = 8  # files at a time
COUNTED_TOGETHER: Final = 2_000  # files between two notes of the counts
# One look counts no longer than this, as the batch is to be made behind it; the next look goes on.
LONGEST_COUNT: Final = 5 * MINUTE
LONGEST_LISTING: Final = 4 * MINUTE  # idem
# A listing is not gone on with that was left so long ago: what came since, before the place it reached, it does not know.
OLDEST_LISTING: Final = HOUR
REST: Final = 30  # seconds for each request but the first of a listing


class Look(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a look for the next one."""

    #: Until when there is no look, but at a time of the clock; in Unix seconds.
    rest_until: int = 0
    #: How far the folder is listed; None where the listing came to its end.
    listing: folder.Listing | None = None
    #: When it was there.
    noted_at: int = 0


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """How far the lines of a file are counted."""

    #: Those that have ended and are not blank.
    ended: int = 0
    #: The byte from which the counting goes on.
    read: int = 0
    #: Whether the line that has not ended is more than blank.
    begun: bool = False

    def behind(self, chunk: bytes) -> "Counted":
        """Count the lines of the next bytes; no line is held, as it may be endless."""
        first, *others = chunk.split(b"\n")
        begun = self.begun or bool(first.strip())
        if not others:
            return Counted(self.ended, self.read + len(chunk), begun)
        *whole, rest = others
        ended = self.ended + begun + sum(1 for line in whole if line.strip())
        return Counted(ended, self.read + len(chunk), bool(rest.strip()))


class Waiting(msgspec.Struct, frozen=True):
    """What waits in a folder."""

    files: int
    bytes: int
    #: 0 where they were not counted.
    lines: int
    #: When the first of them came, in Unix seconds; None where none waits.
    since: int | None
    #: Whether there may be more lines: the next look goes on counting.
    uncounted: bool = False
    #: Whether there may be more files: the next look goes on listing.
    unlisted: bool = False


def look(services: Services, prefix: str, *, count_lines: bool, only_new: bool = False, watcher: str = "") -> Waiting:
    """Return what waits in the folder `gather/<tenant>/<name>/`; to count lines, each file is read once.

    `only_new` leaves out the files of batches of which nothing was sent: they would most likely be refused again. What is
    left of a long listing, the next look of the same `watcher` goes on with.
    """
    owner = object_keys.owner_of_folder(prefix)
    if owner is None:
        raise ValueError(f"{prefix} is no gather folder")
    every, unlisted = _listed(services, *owner, object_keys.watched(watcher or prefix))
    files = [each.file for each in every if not (only_new and each.over)]
    there = None if unlisted else {_name(each.file) for each in every}
    lines, uncounted = _lines(services, prefix, files, there) if count_lines else (0, False)
    since = min((each.at for each in files), default=None)
    return Waiting(len(files), sum(each.size for each in files), lines, since, uncounted, unlisted)


def rests(services: Services, watcher: str) -> bool:
    """Tell whether the last look cost so much that there is none yet."""
    return services.now() < _last(services, object_keys.watched(watcher)).rest_until


def rest(pages: int) -> int:
    """Return the seconds from one look to the next, by the requests that listed the folder."""
    return max(0, pages - 1) * REST


def _listed(services: Services, tenant: str, name: str, kept: str) -> tuple[list[folder.Candidate], bool]:
    """List the files that wait, from where the last look stopped, and tell whether there may be more."""
    last, until = _last(services, kept), services.clock() + LONGEST_LISTING + TIME_TO_END
    begun = last.listing if services.now() - last.noted_at < OLDEST_LISTING else None
    so_far, left = begun or folder.Listing(), last.listing is not None

    def keep(listing: folder.Listing) -> None:
        nonlocal left
        left = True
        services.bucket.put(kept, msgspec.msgpack.encode(Look(0, listing, services.now())))

    try:
        budget = TimeBudget(lambda: until - services.clock())
        folder.walk(services, folder.Nobody(tenant, name), so_far, keep, budget)
        unlisted = False
    except OutOfTime:
        unlisted = True
    found, pause = so_far.first(), rest(so_far.pages)
    if not unlisted and (pause or left):
        services.bucket.put(kept, msgspec.msgpack.encode(Look(services.now() + pause)))
    if begun is not None:  # what an earlier look found may belong to a batch since
        found = folder.still_waiting(services, tenant, name, found)
    return found, unlisted


def _last(services: Services, kept: str) -> Look:
    try:
        return msgspec.msgpack.decode(services.bucket.get(kept), type=Look)
    except (NotFound, msgspec.ValidationError):  # there was none, or one by a version that looked otherwise
        return Look()


def _lines(services: Services, prefix: str, files: Iterable[GatheredFile], there: set[str] | None) -> tuple[int, bool]:
    """Count lines that are not blank, and tell whether some are left; what was counted is kept beside the work of batches.

    `there` names all files that wait: what was counted of others is of no use any more. None if not all are known.
    """
    kept, until = object_keys.counted_lines(prefix), services.clock() + LONGEST_COUNT
    counts = {name: counted for name, counted in _known(services, kept).items() if there is None or name in there}
    names = {_name(each): each for each in files}
    left = [name for name, each in names.items() if counts.get(name, Counted()).read < each.size]
    for first in range(0, len(left), COUNTED_TOGETHER):
        some = left[first : first + COUNTED_TOGETHER]
        with ThreadPoolExecutor(READERS) as readers:
            found = readers.map(lambda name: _count(services, prefix, names[name], counts.get(name), until), some)
            counts.update(zip(some, found, strict=True))
        services.bucket.put(kept, msgspec.msgpack.encode(counts))
        if services.clock() >= until:
            break
    so_far = [(counts.get(name, Counted()), each.size) for name, each in names.items()]
    lines = sum(counted.ended + (counted.begun and counted.read >= size) for counted, size in so_far)
    return lines, any(counted.read < size for counted, size in so_far)


def _known(services: Services, kept: str) -> dict[str, Counted]:
    try:
        return msgspec.msgpack.decode(services.bucket.get(kept), type=dict[str, Counted])
    except (NotFound, msgspec.ValidationError):  # nothing is counted yet, or by a version that counted otherwise
        return {}


def _name(file: GatheredFile) -> str:
    return f"{file.name}\0{file.version_id or file.etag}"


def _count(services: Services, prefix: str, file: GatheredFile, counted: Counted | None, until: float) -> Counted:
    """Go on counting the lines of a file, until its end or this time."""
    source = InputObject(services.bucket.bucket, prefix + file.name, file.etag, file.size, file.version_id)
    counted = counted or Counted()
    if services.clock() >= until:
        return counted
    try:
        for chunk in services.bucket.chunks(source, counted.read):
            counted = counted.behind(chunk)
            if services.clock() >= until:
                break
    except NotFound:
        return Counted(read=file.size)  # it was replaced or removed meanwhile
    return counted
