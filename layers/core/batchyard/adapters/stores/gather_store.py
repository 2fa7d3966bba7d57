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

# A firing that is under way, has made its batch, has found no file, or has made a batch of which nothing was sent.
OPEN, DONE, EMPTY, VOID = "open", "done", "empty", "void"
FIRING: Final = "firing"  # the value by which the index of what is not settled lists firings that are open
# A claim outlives its file's right to be gathered, see `batchyard.gathering`: no file is gathered anew when its claim is gone.
KEEP_CLAIMS: Final = 400 * DAY
SAME_ROUND: Final = "#created_at = :begun"  # a firing that has found nothing may begin anew
OF_A_ROUND: Final = ("listed", "listing", "reached", "due_at")


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
    #: When the firing began, or began anew, as one of a request that had found nothing.
    created_at: int
    expires_at_ttl: int
    state: str = OPEN
    #: The key of the list of the files that the firing may claim; None before the folder is listed. It changes no more.
    listed: str | None = None
    #: The key of what a listing under way has found, and the object up to which it has come; None before there is any.
    listing: str | None = None
    reached: str | None = None
    #: From when on the sweep has somebody else take it up; None if nobody was asked to.
    due_at: int | None = None


class GatherStore(Table):
    """Read and write firings, and the claims by which a version of a file belongs to one of them."""

    def open(self, firing: FolderFiring) -> FolderFiring:
        """Record a firing unless it is recorded; return it as recorded."""
        try:
            self._put(_firing_key(firing), {**members(firing), UNSETTLED: FIRING})
        except StaleRecord:
            return msgspec.convert(self._get(_firing_key(firing)), FolderFiring)
        return firing

    def firing(self, tenant: str, name: str, batch_id: str) -> FolderFiring | None:
        """Read a firing as it is now; None if it is not recorded."""
        found = self._find(_key(tenant, name, batch_id))
        return msgspec.convert(found, FolderFiring) if found else None

    def reopen(self, firing: FolderFiring, now: int, expires_at: int) -> FolderFiring:
        """Begin a firing anew that has found no file, unless somebody has done so; return it as recorded."""
        begun = max(now, firing.created_at + 1)  # so that whoever is late with the round before changes nothing
        sets = {"state": OPEN, "created_at": begun, "expires_at_ttl": expires_at, UNSETTLED: FIRING}
        same, seen = f"#state = :empty AND {SAME_ROUND}", {":empty": EMPTY, ":begun": firing.created_at}
        self._try_change(changing(_firing_key(firing), sets, same, seen, removed=OF_A_ROUND))
        return msgspec.convert(self._get(_firing_key(firing)), FolderFiring)

    def note(self, firing: FolderFiring, listing: str, reached: str) -> None:
        """Record how far the listing of a folder has come, unless it has come farther or to its end."""
        behind = "attribute_not_exists(#listed) AND (attribute_not_exists(#reached) OR #reached < :to)"
        sets, values = {"listing": listing, "reached": reached}, {":begun": firing.created_at, ":to": reached}
        self._try_change(changing(_firing_key(firing), sets, f"{SAME_ROUND} AND {behind}", values))

    def seal(self, firing: FolderFiring, listed: str) -> FolderFiring:
        """Record which files a firing may claim, unless that is recorded; return the firing as recorded."""
        unlisted, values = f"{SAME_ROUND} AND attribute_not_exists(#listed)", {":begun": firing.created_at}
        self._try_change(changing(_firing_key(firing), {"listed": listed}, unlisted, values))
        return msgspec.convert(self._get(_firing_key(firing)), FolderFiring)

    def postpone(self, firing: FolderFiring, due_at: int) -> None:
        """Record from when on a firing is to be taken up again."""
        self._try_change(changing(_firing_key(firing), {"due_at": due_at}, THERE))

    def leave(self, firing: FolderFiring, now: int) -> None:
        """Record that a firing is due, as its process has no more time; not where another process was asked to go on."""
        unasked = f"{THERE} AND attribute_not_exists(#due_at)"
        self._try_change(changing(_firing_key(firing), {"due_at": now}, unasked))

    def end(self, firing: FolderFiring, state: str) -> None:
        """Record that a firing has come to its end; the sweep looks at it no more."""
        values: dict[str, object] = {":void": VOID}
        condition = f"{THERE} AND #state <> :void"
        if state == EMPTY:
            condition, values = f"{condition} AND {SAME_ROUND}", {**values, ":begun": firing.created_at}
        self._try_change(changing(_firing_key(firing), {"state": state}, condition, values, removed=[UNSETTLED]))

    def free(self, tenant: str, name: str, batch_id: str, now: int) -> None:
        """Record that nothing was sent of the batch of a firing, for as long as its claims stand: its files are free."""
        sets = {"state": VOID, "expires_at_ttl": now + KEEP_CLAIMS}
        self._try_change(changing(_key(tenant, name, batch_id), sets, THERE, removed=[UNSETTLED]))

    def open_firings(self) -> Iterator[FolderFiring]:
        """Yield the firings that are under way, or whose process is gone."""
        for item in self._query(f"{UNSETTLED} = :firing", {":firing": FIRING}, IndexName=UNSETTLED):
            found = self._find({name: item[name] for name in ("pk", "sk")})
            if found.get("state") == OPEN:
                yield msgspec.convert(found, FolderFiring)

    def claimed(self, tenant: str, name: str, files: Collection[str]) -> dict[str, str]:
        """Return whose those of these files are that belong to a firing: the id of its batch by the id of the file.

        A claim of the last second may be left out, or still be that of a void batch. No file is taken by this: `claim` has
        the last word.
        """
        keys = {_claim(each): each for each in files}
        found = self._find_many(({"pk": _folder(tenant, name), "sk": key} for key in keys), consistent=False)
        return {keys[item["sk"]]: item["batch_id"] for item in found}

    def claim(self, firing: FolderFiring, file: str, now: int, over: str = "") -> bool:
        """Claim a version of a file; False if the file belongs to another firing than this one, and than that of `over`."""
        mine, void = "#batch_id = :mine", "#batch_id = :over"
        condition = f"{NEW} OR {mine}" + (f" OR {void}" if over else "")
        sets: Mapping[str, object] = {"batch_id": firing.batch_id, "expires_at_ttl": now + KEEP_CLAIMS}
        values = {":mine": firing.batch_id, **({":over": over} if over else {})}
        key = {"pk": _folder(firing.tenant, firing.name), "sk": _claim(file)}
        return self._try_change(changing(key, sets, condition, values))

    def void(self, tenant: str, name: str, batch_ids: Collection[str]) -> set[str]:
        """Return those of these batches of which nothing was sent: their files are free again.

        Of a batch whose record has expired, the firing tells.
        """
        found = {item["batch_id"]: item for item in self._find_many(map(batch_key, batch_ids))}
        firings = self._find_many(_key(tenant, name, each) for each in batch_ids if each not in found)
        unsent = {
            each for each, item in found.items() if statuses.is_unsent(item["status"], item.get("in_progress_at"))
        }
        return unsent | {item["batch_id"] for item in firings if item["state"] == VOID}


def _folder(tenant: str, name: str) -> str:
    return f"GATHER#{tenant}/{name}"


def _firing_key(firing: FolderFiring) -> dict[str, str]:
    return _key(firing.tenant, firing.name, firing.batch_id)


def _key(tenant: str, name: str, batch_id: str) -> dict[str, str]:
    return {"pk": _folder(tenant, name), "sk": f"FIRING#{batch_id}"}


def _claim(file: str) -> str:
    """Name the claim on a file by a digest: the key of an object may be longer than a key of the table."""
    return f"FILE#{hashlib.sha256(file.encode('utf-8', 'surrogatepass')).hexdigest()}"
