"""The listing of a gather folder: which files wait, which of them a firing may claim, and the list of those that it got."""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from heapq import nsmallest
from typing import Final

import msgspec

from batchyard.adapters.bucket import Arrived
from batchyard.adapters.file_list import GatheredFile, pack_files
from batchyard.adapters.stores.gather_store import FolderFiring
from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject
from batchyard.domain.errors import NotFound, StaleRecord
from batchyard.domain.numbers import DAY, MINUTE
from batchyard.domain.step import OutOfTime, TimeBudget
from batchyard.gathering import claims
from batchyard.gathering.claims import Candidate, Whose
from batchyard.services import Services

MOST_FILES: Final = 100_000  # of one firing; those that came last wait for the next
KEPT_EVERY: Final = MINUTE  # what a listing has found is kept; a million objects are listed for about ten minutes
OLDEST: Final = 365 * DAY  # of a file; its claim is kept for some weeks more, so it is never gathered a second time


class Listing(msgspec.Struct, array_like=True):
    """How far the listing of a folder has come, and what it has found."""

    #: The object up to which the folder is listed.
    after: str = ""
    #: The files that wait, in any order; of very many, those that came first.
    found: list[Candidate] = []
    #: How many requests listed it.
    pages: int = 0

    def take(self, some: Iterable[Candidate], after: str) -> None:
        """Take in what one more page holds."""
        self.found.extend(some)
        self.after, self.pages = after, self.pages + 1
        if len(self.found) > 2 * MOST_FILES:
            self.found = self.first()

    def first(self) -> list[Candidate]:
        """Return the files that one firing may have, in the order of their arrival."""
        return nsmallest(MOST_FILES, self.found, key=_arrival)


def seal_candidates(services: Services, firing: FolderFiring, budget: TimeBudget) -> list[Candidate]:
    """Record which files a firing may claim, and return them, in the order of their arrival: the same ones each time.

    So each run of a firing, also of one whose process died, ends with the same. Raises OutOfTime; whoever asks next goes on
    where the listing stopped. Raises StaleRecord if another round has begun.
    """
    if firing.listed is None:
        done = walk(services, firing, _begun(services, firing), lambda so_far: _keep(services, firing, so_far), budget)
        firing = services.gather_store.seal(firing, _put(services, firing, msgspec.msgpack.encode(done.first())))
    if firing.listed is None:
        raise StaleRecord(f"{firing.batch_id}: its firing found nothing, and has begun anew")
    return msgspec.msgpack.decode(services.bucket.get(firing.listed), type=list[Candidate])


def write_list(services: Services, firing: FolderFiring, files: list[GatheredFile]) -> InputObject:
    """Write the list of a firing's files, and return the input that they are."""
    packed = pack_files(files)
    digest = hashlib.sha256(packed).hexdigest()
    key = object_keys.gathered(firing.batch_id, digest)
    services.bucket.put(key, packed)
    folder = object_keys.gather_folder(firing.tenant, firing.name)
    size = sum(file.size + 1 for file in files)  # a line end stands behind each
    return InputObject(services.bucket.bucket, folder, digest, size, files=key, file_count=len(files))


def walk(
    services: Services, whose: Whose, so_far: Listing, keep: Callable[[Listing], None], budget: TimeBudget
) -> Listing:
    """Go on with a listing to its end: the newest version of each file that belongs to no firing, or to a void or this one.

    What it has found is kept every minute, and before OutOfTime is raised.
    """
    folder, kept_at = object_keys.gather_folder(whose.tenant, whose.name), services.clock()
    with ThreadPoolExecutor(claims.CLAIMERS) as claimers:
        for page in services.bucket.inbox(folder, so_far.after):
            here = [Candidate(_file(folder, each)) for each in page.newest if _is_file(services, folder, each)]
            so_far.take(claims.unclaimed(services, whose, here, claimers), page.last)
            low = budget.low
            if low or services.clock() - kept_at >= KEPT_EVERY:
                keep(so_far)
                kept_at = services.clock()
            if low:
                raise OutOfTime
    return so_far


def _begun(services: Services, firing: FolderFiring) -> Listing:
    """Read what an earlier process has listed; nothing, if that is gone, or was written by a version that lists otherwise."""
    if firing.listing is None:
        return Listing()
    try:
        return msgspec.msgpack.decode(services.bucket.get(firing.listing), type=Listing)
    except (NotFound, msgspec.ValidationError):
        return Listing()


def _keep(services: Services, firing: FolderFiring, so_far: Listing) -> None:
    services.gather_store.note(firing, _put(services, firing, msgspec.msgpack.encode(so_far)), so_far.after)


def _put(services: Services, firing: FolderFiring, data: bytes) -> str:
    """Write what was found; its name follows from its bytes, so that no other process overwrites it with others."""
    key = object_keys.gathered(firing.batch_id, hashlib.sha256(data).hexdigest())
    services.bucket.put(key, data)
    return key


def _arrival(candidate: Candidate) -> tuple[int, str]:
    return candidate.file.at, candidate.file.name


def _file(folder: str, arrived: Arrived) -> GatheredFile:
    found = arrived.object
    name = found.key.removeprefix(folder)
    return GatheredFile(name, found.etag, found.size, found.version_id, int(arrived.at.timestamp()))


def _is_file(services: Services, folder: str, arrived: Arrived) -> bool:
    """Tell whether an object is a file to gather: no folder, nothing hidden, not RUN, and not of more than a year ago."""
    name = arrived.object.key.removeprefix(folder)
    hidden = any(part.startswith(".") and part not in object_keys.CLIMBING for part in name.split("/"))
    if not name or name == object_keys.RUN or name.endswith("/") or hidden:
        return False
    return services.clock() - arrived.at.timestamp() <= OLDEST
