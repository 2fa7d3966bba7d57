"""Claims on the files of a gather folder: which files a firing may claim, and which are its own."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from batchyard.adapters.file_list import GatheredFile
from batchyard.adapters.stores.gather_store import FolderFiring
from batchyard.domain.step import TimeBudget
from batchyard.services import Services

CLAIMERS: Final = 8  # claims, or calls that look claims up, at a time
PART: Final = 100  # files whose claims are looked up by one call


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A file that a firing may claim."""

    file: GatheredFile
    #: The batch that has claimed it, and of which nothing was sent, so that the claim may be taken over; "" if none has.
    void_owner: str = ""

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


def claim_all(
    services: Services, firing: FolderFiring, some: list[Candidate], budget: TimeBudget
) -> list[GatheredFile]:
    """Claim the candidates, and return the files that are the firing's: those that no other firing was faster to claim.

    Raises OutOfTime; what is claimed by then is found by whoever comes next.
    """
    with ThreadPoolExecutor(CLAIMERS) as claimers:
        claimed = list(claimers.map(lambda part: _claim(services, firing, part, budget), _parts(some)))
    return [file for files in claimed for file in files]


def still_waiting(services: Services, tenant: str, name: str, some: list[Candidate]) -> list[Candidate]:
    """Return those of the files that still wait: some may belong to a firing since they were listed."""
    with ThreadPoolExecutor(CLAIMERS) as claimers:
        return unclaimed(services, Nobody(tenant, name), [Candidate(each.file) for each in some], claimers)


def unclaimed(services: Services, whose: Whose, here: list[Candidate], claimers: ThreadPoolExecutor) -> list[Candidate]:
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


def _claim(services: Services, firing: FolderFiring, some: list[Candidate], budget: TimeBudget) -> list[GatheredFile]:
    """Claim some candidates; those that an earlier run claimed are found by one look."""
    budget.check()
    known = services.gather_store.claimed(firing.tenant, firing.name, [each.claim for each in some])
    mine = []
    for each in some:
        owner = known.get(each.claim)
        if owner == firing.batch_id or (
            owner in {None, each.void_owner or None}
            and services.gather_store.claim(firing, each.claim, services.now(), each.void_owner)
        ):
            mine.append(each.file)
    return mine


def _parts(some: list[Candidate]) -> list[list[Candidate]]:
    return [some[first : first + PART] for first in range(0, len(some), PART)]
