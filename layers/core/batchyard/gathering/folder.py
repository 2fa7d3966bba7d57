"""The files of a gather folder: which of them wait, which of them a firing may claim, and which are its own."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from heapq import nsmallest
from typing import Final

import msgspec

from batchyard.adapters.bucket import Arrived
from batchyard.adapters.file_list import GatheredFile, pack_files
from batchyard.adapters.stores.gather_store import FolderFiring
from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject
from batchyard.domain.numbers import DAY
from batchyard.services import Services

CLAIMERS: Final = 8  # claims at a time
MOST_FILES: Final = 100_000  # of one firing; those that came last wait for the next
LOOKED_UP: Final = 1_000  # claims that are looked up together
# A claim expires some weeks later, so a file is never gathered a second time.
OLDEST: Final = 365 * DAY


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A file that a firing may claim."""

    file: GatheredFile
    #: The batch that it belongs to, and which was refused; "" if it belongs to none.
    over: str = ""

    @property
    def claim(self) -> str:
        """Name this version of the file."""
        return "\0".join((self.file.name, self.file.version_id or "", self.file.etag))


def candidates(services: Services, firing: FolderFiring) -> list[Candidate]:
    """List the files that a firing may claim, in the order of their arrival: the same ones each time it is asked.

    What comes later belongs to a later firing. So each run of a firing, also of one whose process died, ends with the same.
    """
    if firing.listed is None:
        new = _unclaimed(services, firing.tenant, firing.name, firing.batch_id)
        found = msgspec.msgpack.encode(nsmallest(MOST_FILES, new, key=_arrival))
        listed = object_keys.gathered(firing.batch_id, hashlib.sha256(found).hexdigest())
        services.bucket.put(listed, found)
        firing = services.gather_store.seal(firing, listed)
    return msgspec.msgpack.decode(services.bucket.get(firing.listed or ""), type=list[Candidate])


def own(services: Services, firing: FolderFiring, some: list[Candidate]) -> list[GatheredFile]:
    """Claim the candidates, and return the files that are the firing's: those that no other firing was faster to claim."""
    with ThreadPoolExecutor(CLAIMERS) as claimers:
        claimed = list(claimers.map(lambda part: _claim(services, firing, part), _parts(some, LOOKED_UP // CLAIMERS)))
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


def _parts(some: list[Candidate], count: int) -> list[list[Candidate]]:
    return [some[first : first + count] for first in range(0, len(some), count)]


def _arrival(candidate: Candidate) -> tuple[int, str]:
    return candidate.file.at, candidate.file.name


def waiting(services: Services, tenant: str, name: str) -> list[Candidate]:
    """List the files of a folder that a firing would take now, in the order of their arrival; nothing is claimed."""
    return nsmallest(MOST_FILES, _unclaimed(services, tenant, name), key=_arrival)


def _unclaimed(services: Services, tenant: str, name: str, batch_id: str = "") -> Iterator[Candidate]:
    """Yield the newest version of each file that no firing has, or the batch itself, and of those whose batch was refused."""
    folder = object_keys.gather_folder(tenant, name)
    for page in services.bucket.inbox(folder):
        here = [Candidate(_file(folder, each)) for each in page.newest if _is_file(services, folder, each)]
        for some in _parts(here, LOOKED_UP):
            claims = services.gather_store.claimed(tenant, name, [each.claim for each in some])
            void = services.gather_store.refused(set(claims.values()) - {batch_id})
            for candidate in some:
                owner = claims.get(candidate.claim, batch_id)
                if owner == batch_id:
                    yield candidate
                elif owner in void:
                    yield Candidate(candidate.file, owner)


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


def _claim(services: Services, firing: FolderFiring, some: list[Candidate]) -> list[GatheredFile]:
    """Claim some candidates; those that an earlier run claimed are found by one look."""
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
