"""The records of gather folders: their firings, and the claims by which a version of a file belongs to one of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from batchyard.adapters.stores.batch_store import batch_key
from batchyard.adapters.stores.sweep_store import UNSETTLED
from batchyard.adapters.stores.table import NEW, THERE, Table, changing, members
from batchyard.domain import statuses
from batchyard.domain.errors import StaleRecord
from batchyard.domain.numbers import DAY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

OPEN, DONE, EMPTY = "open", "done", "empty"  # a firing that is under way, has made its batch, has found no file
FIRING: Final = "firing"  # the value by which the index of what is not settled lists firings that are open
# A claim outlives its file's right to be gathered, see `batchyard.gathering`: no file is gathered anew when its claim is gone.
KEEP_CLAIMS: Final = 400 * DAY


class FolderFiring(msgspec.Struct, frozen=True, kw_only=True):
    """The record `GATHER#<tenant>/<name>` / `FIRING#<batch id>`: one firing of a gather folder. Times are Unix seconds."""

    tenant: str
    #: That of the folder.
    name: str
    #: What fired: twice the same key is the same firing.
    key: str
    #: The batch that comes of it.
    batch_id: str
    #: The members of the batch that were asked for, as JSON text: the table holds whole numbers only.
    options: str
    created_at: int
    expires_at_ttl: int
    state: str = OPEN
    #: The key of the list of the files that the firing may claim; None before the folder is listed. It changes no more.
    listed: str | None = None


class GatherStore(Table):
    """Read and write firings, and the claims by which a version of a file belongs to one of them."""

    def open(self, firing: FolderFiring) -> FolderFiring:
        """Record a firing unless it is recorded; return it as recorded."""
        try:
            self._put(_firing_key(firing), {**members(firing), UNSETTLED: FIRING})
        except StaleRecord:
            return msgspec.convert(self._get(_firing_key(firing)), FolderFiring)
        return firing

    def seal(self, firing: FolderFiring, listed: str) -> FolderFiring:
        """Record which files a firing may claim, unless that is recorded; return the firing as recorded."""
        unlisted = "attribute_not_exists(#listed)"
        self._try_change(changing(_firing_key(firing), {"listed": listed}, f"{THERE} AND {unlisted}"))
        return msgspec.convert(self._get(_firing_key(firing)), FolderFiring)

    def end(self, firing: FolderFiring, state: str) -> None:
        """Record that a firing has come to its end; the sweep looks at it no more."""
        self._try_change(changing(_firing_key(firing), {"state": state}, THERE, removed=[UNSETTLED]))

    def open_firings(self) -> Iterator[FolderFiring]:
        """Yield the firings that are under way, or whose process is gone."""
        for item in self._query(f"{UNSETTLED} = :firing", {":firing": FIRING}, IndexName=UNSETTLED):
            found = self._find({name: item[name] for name in ("pk", "sk")})
            if found.get("state") == OPEN:
                yield msgspec.convert(found, FolderFiring)

    def claimed(self, tenant: str, name: str, files: Collection[str]) -> dict[str, str]:
        """Return whose those of these files are that belong to a firing: the id of its batch by the id of the file."""
        keys = {_claim(each): each for each in files}
        found = self._find_many({"pk": _folder(tenant, name), "sk": key} for key in keys)
        return {keys[item["sk"]]: item["batch_id"] for item in found}

    def claim(self, firing: FolderFiring, file: str, now: int, over: str = "") -> bool:
        """Claim a version of a file; False if the file belongs to another firing than this one, and than that of `over`."""
        mine, void = "#batch_id = :mine", "#batch_id = :over"
        condition = f"{NEW} OR {mine}" + (f" OR {void}" if over else "")
        sets: Mapping[str, object] = {"batch_id": firing.batch_id, "expires_at_ttl": now + KEEP_CLAIMS}
        values = {":mine": firing.batch_id, **({":over": over} if over else {})}
        key = {"pk": _folder(firing.tenant, firing.name), "sk": _claim(file)}
        return self._try_change(changing(key, sets, condition, values))

    def refused(self, batch_ids: Collection[str]) -> set[str]:
        """Return those of these batches that were refused: nothing was sent, and their files are free again."""
        found = self._find_many(map(batch_key, batch_ids))
        return {
            item["batch_id"]
            for item in found
            if item["status"] == statuses.FAILED and item.get("in_progress_at") is None
        }


def _folder(tenant: str, name: str) -> str:
    return f"GATHER#{tenant}/{name}"


def _firing_key(firing: FolderFiring) -> dict[str, str]:
    return {"pk": _folder(firing.tenant, firing.name), "sk": f"FIRING#{firing.batch_id}"}


def _claim(file: str) -> str:
    """Name the claim on a file by a digest: the key of an object may be longer than a key of the table."""
    return f"FILE#{hashlib.sha256(file.encode('utf-8', 'surrogatepass')).hexdigest()}"
