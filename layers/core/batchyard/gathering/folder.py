"""The files of a gather folder: which of them wait, which of them a firing may claim, and which are its own."""

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
from batchyard.services import Services

CLAIMERS: Final = 8  # claims, or calls that look claims up, at a time
MOST_FILES: Final = 100_000  # of one firing; those that came last wait for the next
PART: Final = 100  # files whose claims are looked up by one call
KEPT_EVERY: Final = MINUTE  # what a listing has found is kept; a million objects are listed for about ten minutes
OLDEST: Final = 365 * DAY  # of a file; its claim is kept for some weeks more, so it is never gathered a second time


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A file that a firing may claim."""

    file: GatheredFile
    #: The batch that it belongs to, and of which nothing was sent; "" if it belongs to none.
    over: str = ""

    @property
    def claim(self) -> str:
        """Name this version of the file."""
        return "\0".join((self.file.name, self.file.version_id or "", self.file.etag))


class Nobody(msgspec.Struct, frozen=True):
    """Who looks into a folder and takes nothing."""

    tenant: str
    name: str
    batch_id: str = ""


Whose = FolderFiring | Nobody


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


def candidates(services: Services, firing: FolderFiring, budget: TimeBudget) -> list[Candidate]:
    """List the files that a firing may claim, in the order of their arrival: the same ones each time it is asked.

    So each run of a firing, also of one whose process died, ends with the same. Raises OutOfTime; whoever asks next goes on
    where the listing stopped. Raises StaleRecord if another round has begun.
    """
    if firing.listed is None:
        done = walk(services, firing, _begun(services, firing), lambda so_far: _keep(services, firing, so_far), budget)
        firing = services.gather_store.seal(firing, _put(services, firing, msgspec.msgpack.encode(done.first())))
    if firing.listed is None:
        raise StaleRecord(f"{firing.batch_id}: its firing found nothing, and has begun anew")
    return msgspec.msgpack.decode(services.bucket.get(firing.listed), type=list[Candidate])


def own(services: Services, firing: FolderFiring, some: list[Candidate], budget: TimeBudget) -> list[GatheredFile]:
    """Claim the candidates, and return the files that are the firing's: those that no other firing was faster to claim.

    Raises OutOfTime; what is claimed by then is found by whoever comes next.
    """
    with ThreadPoolExecutor(CLAIMERS) as claimers:
        claimed = list(claimers.map(lambda part: _claim(services, firing, part, budget), _parts(some)))
    return [file for files in claimed for file in files]


def listed(services: Services, firing: FolderFiring, files: list[GatheredFile]) -> InputObject:
    """Write the list of a firing's files, and return the input that they are."""
    packed = pack_files(files)
    digest = hashlib.sha256(packed).hexdigest()
    key = object_keys.gathered(firing.batch_id, digest)
    services.bucket.put(key, packed)
    folder = object_keys.gather_folder(firing.tenant, firing.name)
    size = sum(file.size + 1 for file in files)  # a line end stands behind each
    return InputObject(services.bucket.bucket, folder, digest, size, files=key, file_count=len(files))


def still_waiting(services: Services, tenant: str, name: str, some: list[Candidate]) -> list[Candidate]:
    """Return those of the files that still wait: some may belong to a firing since they were listed."""
    with ThreadPoolExecutor(CLAIMERS) as claimers:
        return _free(services, Nobody(tenant, name), [Candidate(each.file) for each in some], claimers)


def walk(
    services: Services, whose: Whose, so_far: Listing, keep: Callable[[Listing], None], budget: TimeBudget
) -> Listing:
    """Go on with a listing to its end: the newest version of each file that belongs to no firing, or to a void or this one.

    What it has found is kept every minute, and before OutOfTime is raised.
    """
    folder, kept_at = object_keys.gather_folder(whose.tenant, whose.name), services.clock()
    with ThreadPoolExecutor(CLAIMERS) as claimers:
        for page in services.bucket.inbox(folder, so_far.after):
            here = [Candidate(_file(folder, each)) for each in page.newest if _is_file(services, folder, each)]
            so_far.take(_free(services, whose, here, claimers), page.last)
            low = budget.low
            if low or services.clock() - kept_at >= KEPT_EVERY:
                keep(so_far)
                kept_at = services.clock()
            if low:
                raise OutOfTime
    return so_far


def _free(services: Services, whose: Whose, here: list[Candidate], claimers: ThreadPoolExecutor) -> list[Candidate]:
    """Return those of the files that nobody has claimed, or only this very firing, or one whose batch sent nothing."""
    store, claims = services.gather_store, dict[str, str]()
    names = [[each.claim for each in part] for part in _parts(here)]
    for found in claimers.map(lambda some: store.claimed(whose.tenant, whose.name, some), names):
        claims.update(found)
    void = store.void(whose.tenant, whose.name, set(claims.values()) - {whose.batch_id})
    owned = [(each.file, claims.get(each.claim, whose.batch_id)) for each in here]
    return [
        Candidate(file, "" if owner == whose.batch_id else owner)
        for file, owner in owned
        if owner == whose.batch_id or owner in void
    ]


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


def _parts(some: list[Candidate]) -> list[list[Candidate]]:
    return [some[first : first + PART] for first in range(0, len(some), PART)]


def _arrival(candidate: Candidate) -> tuple[int, str]:
    return candidate.file.at, candidate.file.name


def _file(folder: str, arrived: Arrived) -> GatheredFile:
    found = arrived.object
    name = found.key.removeprefix(folder)
    return GatheredFile(name, found.etag, found.size, found.version_id, int(arrived.at.timestamp()))


def _is_file(services: Services, folder: str, arrived: Arrived) -> bool:
    """Tell whether an object is a file to gather: no folder, nothing hidden, not RUN, and not of more than a year ago."""
    name = arrived.object.key.removeprefix(folder)
    if not name or name == object_keys.RUN or name.endswith("/") or name.rpartition("/")[2].startswith("."):
        return False
    return services.clock() - arrived.at.timestamp() <= OLDEST


def _claim(services: Services, firing: FolderFiring, some: list[Candidate], budget: TimeBudget) -> list[GatheredFile]:
    """Claim some candidates; those that an earlier run claimed are found by one look."""
    budget.check()
    known = services.gather_store.claimed(firing.tenant, firing.name, [each.claim for each in some])
    mine = []
    for each in some:
        owner = known.get(each.claim)
        if owner == firing.batch_id or (
            owner in {None, each.over or None}
            and services.gather_store.claim(firing, each.claim, services.now(), each.over)
        ):
            mine.append(each.file)
    return mine
