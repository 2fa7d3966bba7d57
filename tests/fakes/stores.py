"""The stores of records, in dictionaries, under the conditions of the real stores."""

from collections.abc import Callable, Collection, Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from batchyard.adapters.stores.batch_store import BatchStore, LinkedShard
from batchyard.adapters.stores.creation_store import CreationStore
from batchyard.adapters.stores.file_store import FileStore
from batchyard.adapters.stores.quota_store import CLAIMED, QuotaStore
from batchyard.adapters.stores.sweep_store import PAGE, SweepStore
from batchyard.adapters.stores.token_ledger_store import TokenLedgerStore
from batchyard.adapters.stores.upload_store import UploadStore
from batchyard.costs.bill import Bill
from batchyard.costs.budget import Budget, BudgetWarning
from batchyard.costs.cost import Cost
from batchyard.costs.usage import Usage
from batchyard.domain import statuses
from batchyard.domain.batch import Batch, Counts, InputObject
from batchyard.domain.create_limits import Creations
from batchyard.domain.errors import NotFound, StaleRecord
from batchyard.domain.multipart_upload import KEEP_PARTS, StoredUpload, UploadPart
from batchyard.domain.shard import Shard, with_next_version
from batchyard.domain.stored_file import KEEP_DELETED, Stored, StoredFile
from batchyard.domain.token_ledger import Ledger, Reservation, Terms
from tests.fakes.api_stores import fit

PLACE = attrgetter("place", "since", "attempt")
STATE = attrgetter("tokens", "confirmed", "overdue", "ended")


class MemoryBatchStore(BatchStore):
    """Records in dictionaries, under the real ones' conditions."""

    def __init__(self) -> None:
        self.batches: dict[str, Batch] = {}
        self.kept: dict[tuple[str, int], Shard] = {}
        self.waiting: dict[tuple[str, str], set[int]] = {}
        self.links: dict[tuple[str, str], LinkedShard] = {}

    def create_batch(self, batch: Batch) -> bool:
        new = batch.batch_id not in self.batches
        self.batches.setdefault(batch.batch_id, batch)
        return new

    def create_retry(self, batch: Batch, latest: str | None) -> bool:
        parent = self.batch(batch.retry_of or "")
        if batch.batch_id in self.batches or parent.retried_by != latest:
            return False
        self._replace(parent.batch_id, {"retried_by": batch.batch_id})
        return self.create_batch(batch)

    def batch(self, batch_id: str) -> Batch:
        found = self.find_batch(batch_id)
        if found is None:
            raise NotFound(batch_id)
        return found

    def find_batch(self, batch_id: str) -> Batch | None:
        fit(batch_id)
        return self.batches.get(batch_id)

    def move_batch(self, batch_id: str, status: str, now: int, **changes: object) -> Batch | None:
        known = self.batches.get(batch_id)
        if known is None or known.status not in statuses.sources_of(status):
            return None
        return self._replace(batch_id, {"status": status, statuses.STAMPS[status]: now, **changes})

    def change_batch(self, batch_id: str, **changes: object) -> Batch:
        known = self.batches.get(batch_id)
        if known is None or known.ended:
            raise StaleRecord(batch_id)
        return self._replace(batch_id, changes)

    def ask_shards(self, batch_id: str, now: int, wait: int) -> bool:
        known = self.batches.get(batch_id)
        if known is None or known.ended or (known.shards_asked_at or 0) > now - wait:
            return False
        self._replace(batch_id, {"shards_asked_at": now})
        return True

    def take_over_batch(self, batch_id: str, wanted: str | None, /, **changes: object) -> Batch | None:
        known = self.batches.get(batch_id)
        fits = known is not None and (known.status == statuses.VALIDATING or wanted in {None, known.endpoint})
        if known is None or known.owned_by_request or not fits:
            return None
        return self._replace(batch_id, changes)

    def _replace(self, batch_id: str, changes: Mapping[str, object]) -> Batch:
        self.batches[batch_id] = msgspec.structs.replace(self.batches[batch_id], **changes)
        return self.batches[batch_id]

    def open_of(self, tenant: str) -> Iterator[Batch]:
        return iter([batch for batch in self.batches.values() if batch.tenant == tenant and not batch.ended])

    def keep_copy(self, batch_id: str, **copy: InputObject) -> Batch:
        return self._replace(batch_id, copy)

    def open_batches(self, tenant: str, most: int) -> int:
        return min(most, sum(batch.tenant == tenant and not batch.ended for batch in self.batches.values()))

    def hide_batch(self, batch_id: str, now: int) -> bool:
        return batch_id in self.batches and bool(self._replace(batch_id, {"deleted_at": now}))

    def list_batches(
        self, tenant: str, after: str | None, limit: int, *, newest_first: bool = True, messages: bool = False
    ) -> tuple[list[Batch], bool]:
        every = [batch for batch in self.batches.values() if batch.tenant == tenant]
        shown = [
            batch for batch in every if (batch.messages_input and batch.deleted_at is None) or batch.batch_id == after
        ]
        own = (shown if messages else every)[:: -1 if newest_first else 1]
        begin = next((at + 1 for at, batch in enumerate(own) if batch.batch_id == after), 0)
        return own[begin : begin + limit], len(own) > begin + limit

    def shard(self, batch_id: str, number: int) -> Shard | None:
        return self.kept.get((batch_id, number))

    def shards(self, batch_id: str) -> Iterator[Shard]:
        return iter([self.kept[key] for key in sorted(self.kept) if key[0] == batch_id])

    def save_shard(self, before: Shard | None, after: Shard) -> Shard:
        key = after.batch_id, after.shard
        if (self.kept[key].version if key in self.kept else None) != (before.version if before else None):
            raise StaleRecord(str(key))
        self._move_counts(before, after)
        for why in ("paused", "waits"):
            self._move_wait(why, getattr(before, why, None), after)
        self.kept[key] = with_next_version(before, after)
        return self.kept[key]

    def _move_wait(self, why: str, before: str | None, after: Shard) -> None:
        now = getattr(after, why)
        if now == before:
            return
        held = self.waiting.setdefault((after.batch_id, why), set())
        (held.add if now else held.discard)(after.shard)
        known = getattr(self.batch(after.batch_id), why)
        self._replace(after.batch_id, {why: (now or known) if held else None})

    def _move_counts(self, before: Shard | None, after: Shard) -> None:
        completed = after.completed - (before.completed if before else 0)
        failed = after.failed - (before.failed if before else 0)
        used = after.usage - (before.usage if before else Usage())
        cost = after.cost - (before.cost if before else Cost())
        expected = after.expected - (before.expected if before else 0)
        if completed or failed or expected or used != Usage():
            known = self.batch(after.batch_id)
            counts = known.counts
            moved = Counts(counts.total, counts.completed + completed, counts.failed + failed)
            usage = {"usage": (known.usage or Usage()) + used} if used != Usage() else {}
            changes = {"counts": moved, "cost": known.cost + cost, "expected": known.expected + expected, **usage}
            self._replace(after.batch_id, changes)

    def link(self, provider: str, provider_batch_id: str, shard: Shard) -> None:
        self.links[provider, provider_batch_id] = LinkedShard(shard.batch_id, shard.shard)

    def linked(self, provider: str, provider_batch_id: str) -> LinkedShard | None:
        fit(provider_batch_id)
        return self.links.get((provider, provider_batch_id))


class MemorySweepStore(SweepStore):
    """The records of memory, seen by the sweep."""

    def __init__(self, batch_store: MemoryBatchStore) -> None:
        self._batch_store = batch_store
        self.done_with: set[str] = set()
        self.bookmarks: dict[str, dict[str, Any]] = {}

    def unsettled(self, after: str | None) -> list[str]:
        left = sorted(set(self._batch_store.batches) - self.done_with)
        return [each for each in left if after is None or each > after][:PAGE]

    def settle(self, batch_id: str) -> None:
        if not self._batch_store.batch(batch_id).ended:
            raise StaleRecord(batch_id)
        self.done_with.add(batch_id)

    def forget_copy(self, batch_id: str, name: str) -> bool:
        known = self._batch_store.batch(batch_id)
        if getattr(known, name) is None:
            return False
        self._batch_store.batches[batch_id] = msgspec.structs.replace(known, **{name: None})
        return True

    def restart(self, batch_id: str, restarts: int) -> bool:
        known = self._batch_store.batch(batch_id)
        if known.ended or known.restarts != restarts:
            return False
        self._batch_store.batches[batch_id] = msgspec.structs.replace(known, restarts=restarts + 1)
        return True

    def bookmark(self, task: str) -> dict[str, Any]:
        return self.bookmarks.get(task, {})

    def keep_bookmark(self, task: str, members: dict[str, object]) -> None:
        self.bookmarks[task] = members


class MemoryFileStore(FileStore):
    """The records of files in a dictionary, under the real ones' conditions."""

    def __init__(self) -> None:
        self.known: dict[str, StoredFile] = {}

    def keep(self, file: StoredFile) -> bool:
        known = self.known.get(file.file_id)
        if known is not None and known.bytes == file.bytes:
            return False
        self.known[file.file_id] = file
        return True

    def file(self, file_id: str) -> StoredFile:
        fit(file_id)
        if file_id not in self.known:
            raise NotFound(file_id)
        return self.known[file_id]

    def change(self, file_id: str, **changes: object) -> StoredFile:
        known = self.known.get(file_id)
        if known is None or known.deleted_at is not None:
            raise StaleRecord(file_id)
        self.known[file_id] = msgspec.structs.replace(known, **changes)
        return self.known[file_id]

    def delete(self, file: StoredFile, now: int) -> StoredFile:
        return self.change(file.file_id, deleted_at=now, expires_at_ttl=now + KEEP_DELETED)

    def note_reader(self, file: StoredFile, now: int) -> StoredFile:
        return self.change(file.file_id, read_at=now)

    def note_removal(self, file: StoredFile, now: int) -> bool:
        known = self.known.get(file.file_id)
        if known is None or known.removed_at is not None:
            return False
        self.known[file.file_id] = msgspec.structs.replace(known, removed_at=now)
        return True

    def stored(self, tenant: str) -> Iterator[StoredFile]:
        return iter([each for each in self.known.values() if each.tenant == tenant and each.removed_at is None])

    def files(
        self, tenant: str, now: int, purpose: str | None, after: str | None, *, newest_first: bool
    ) -> Iterator[StoredFile]:
        for file in sorted(self.known.values(), key=lambda each: each.position, reverse=newest_first):
            wanted = file.tenant == tenant and file.there(now) and purpose in {None, file.purpose}
            behind = after is None or (file.position < after if newest_first else file.position > after)
            if wanted and behind:
                yield file


class MemoryUploadStore(UploadStore):
    """The records of uploads in dictionaries; `meanwhile` is what another caller does while the parts are read, once."""

    def __init__(self) -> None:
        self.known: dict[str, StoredUpload] = {}
        self.sent: list[UploadPart] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def create(self, upload: StoredUpload) -> None:
        self.known[upload.upload_id] = upload

    def upload(self, upload_id: str) -> StoredUpload:
        if upload_id not in self.known:
            raise NotFound(upload_id)
        return self.known[upload_id]

    def add_part(self, part: UploadPart) -> None:
        self.sent.append(part)

    def stored(self, tenant: str, now: int) -> Iterator[StoredUpload]:
        own = (each for each in self.known.values() if each.tenant == tenant and each.removed_at is None)
        return iter([each for each in own if each.expires_at > now - KEEP_PARTS])

    def note_removal(self, upload_id: str, now: int) -> None:
        self.known[upload_id] = msgspec.structs.replace(self.known[upload_id], removed_at=now)

    def count_part(self, upload_id: str, size: int, most_bytes: int, most_parts: int) -> bool:
        known = self.known[upload_id]
        if known.received + size > most_bytes or known.parts >= most_parts or known.status != "pending":
            return False
        more = {"parts": known.parts + 1, "received": known.received + size}
        self.known[upload_id] = msgspec.structs.replace(known, **more)
        return True

    def parts(self, upload_id: str) -> list[UploadPart]:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return [part for part in self.sent if part.upload_id == upload_id]

    def end(self, upload_id: str, status: str) -> StoredUpload:
        if self.known[upload_id].status != "pending":
            raise StaleRecord(upload_id)
        self.known[upload_id] = msgspec.structs.replace(self.known[upload_id], status=status)
        return self.known[upload_id]


class MemoryQuotaStore(QuotaStore):
    """The sums of what tenants store in a dictionary, under the real ones' conditions."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._sums: dict[tuple[str, str, str], tuple[int, int]] = {}
        self.known: dict[str, Stored] = {}
        self.kept_bills: dict[tuple[str, str, str], Bill] = {}
        self.kept_budgets: dict[str, Budget] = {}
        self.warnings: dict[BudgetWarning, dict[str, Any]] = {}

    def read(self, tenant: str) -> Stored:
        return self.known.get(tenant, Stored(tenant=tenant))

    def _add(self, tenant: str, size: int, now: int, most: int | None) -> bool:
        stored = self.read(tenant)
        if most is not None and (size > most or (tenant in self.known and stored.bytes + size > most)):
            return False
        self.known[tenant] = msgspec.structs.replace(stored, bytes=stored.bytes + size, changed_at=now)
        return True

    def all(self, after: str) -> Iterator[Stored]:
        return iter([self.known[tenant] for tenant in sorted(self.known) if tenant > after])

    def keep_bill(self, tenant: str, bill: Bill, expires_at_ttl: int) -> None:  # noqa: ARG002 - nothing expires here
        self.kept_bills[tenant, bill.day, bill.batch_id] = bill

    def bills(self, tenant: str, first_day: str, last_day: str) -> Iterator[Bill]:
        known = [self.kept_bills[key] for key in sorted(self.kept_bills) if key[0] == tenant]
        return iter([bill for bill in known if first_day <= bill.day <= last_day])

    def budget(self, tenant: str) -> Budget | None:
        return self.kept_budgets.get(tenant)

    def budgets(self) -> Iterator[Budget]:
        return iter([self.kept_budgets[tenant] for tenant in sorted(self.kept_budgets)])

    def set_budget(self, budget: Budget) -> None:
        self.kept_budgets[budget.tenant] = budget

    def remove_budget(self, tenant: str) -> None:
        self.kept_budgets.pop(tenant, None)

    def claim_warning(self, warning: BudgetWarning, owner: str, now: int) -> int | None:
        known = self.warnings.setdefault(warning, {"owner": owner, "claimed_at": now, "since": now})
        if "told_at" in known or (known["owner"] != owner and known["claimed_at"] > now - CLAIMED):
            return None
        known |= {"owner": owner, "claimed_at": now}
        return int(known["since"])

    def note_warning(self, warning: BudgetWarning, since: int, owner: str, now: int) -> None:
        self.warnings[warning] = {"owner": owner, "claimed_at": now, "since": since, "told_at": now}

    def told_warnings(self, tenant: str, month: str, budget: int) -> set[int]:
        of_month = [each for each in self.warnings if each[:3] == (tenant, month, budget)]
        return {each.percent for each in of_month if "told_at" in self.warnings[each]}

    def correct(self, before: Stored, size: int, now: int) -> bool:
        if self.read(before.tenant).bytes != before.bytes:
            return False
        self.known[before.tenant] = msgspec.structs.replace(self.read(before.tenant), bytes=size, counted_at=now)
        return True


class MemoryCreationStore(CreationStore):
    """What bounds creations, under the real one's conditions."""

    def __init__(self, provider: str = "") -> None:
        self.provider, self.created = provider, Creations()
        self.file_size = 0, 0
        self.held: set[str] = set()

    def creations(self) -> Creations:
        return self.created

    def save_creations(self, before: Creations, after: Creations) -> bool:
        if self.created.version != before.version:
            return False
        self.created = msgspec.structs.replace(after, version=before.version + 1)
        return True

    def most_bytes(self, now: int) -> int | None:
        size, until = self.file_size
        return size if until > now else None

    def learn_most_bytes(self, size: int, now: int, until: int) -> None:
        known = self.most_bytes(now)
        if known is None or known > size:
            self.file_size = size, until

    def take_slot(self, slot: str, most: int) -> bool:
        if len(self.held) >= most:
            return False
        self.held.add(slot)
        return True

    def slots(self) -> list[str]:
        return list(self.held)

    def drop_slots(self, slots: Collection[str]) -> None:
        self.held.difference_update(slots)


class MemoryTokenLedgerStore(TokenLedgerStore):
    """Ledgers in dictionaries, under the real ones' conditions."""

    def __init__(self, provider: str = "", configured: str = "0") -> None:
        self.provider, self._configured = provider, configured
        self.books: dict[str, Ledger] = {}
        self.held: dict[str, dict[str, Reservation]] = {}
        self.next_places: dict[tuple[str, str], int] = {}

    def read(self, name: str) -> Ledger:
        return self.books.get(name, Ledger())

    def reservation(self, name: str, attempt: str) -> Reservation | None:
        return self.held.get(name, {}).get(attempt)

    def ahead(self, name: str, reservation: Reservation) -> Iterator[Reservation]:
        waiting = [each for each in self.held.get(name, {}).values() if each.waiting]
        return iter(sorted((each for each in waiting if PLACE(each) < PLACE(reservation)), key=PLACE))

    def names(self) -> Iterator[str]:
        return iter(sorted(self.books))

    def reservations(self, name: str) -> Iterator[Reservation]:
        return iter([each for each in self.held.get(name, {}).values() if each.tokens or each.waiting])

    def wait(self, name: str, reservation: Reservation, ttl: int) -> bool:  # noqa: ARG002 - time drops nothing here
        return self._free(name, reservation) and self._keep(
            name, reservation, tokens=0, waiting=True, confirmed=False, overdue=False, ended=False
        )

    def take(self, name: str, reservation: Reservation, terms: Terms, ttl: int, place: int = 0) -> bool:  # noqa: ARG002 - as above
        book = self.read(name)
        too_much = terms.most_enqueued is not None and book.enqueued > terms.most_enqueued
        too_many = terms.most_unconfirmed is not None and book.unconfirmed > terms.most_unconfirmed
        probed = terms.probed_at is not None and book.probe_at != terms.probed_at
        if not self._free(name, reservation) or too_much or too_many or probed:
            return False
        until = reservation.seen_at + terms.probe_patience if terms.probed_at is not None else book.probe_at
        more = {
            "enqueued": book.enqueued + reservation.wanted,
            "reservations": book.reservations + 1,
            "unconfirmed": book.unconfirmed + 1,
        }
        self._move(name, probe_at=until, place=place or book.place, **more)
        held = {"waiting": False, "confirmed": False, "overdue": False, "ended": False}
        return self._keep(name, reservation, tokens=reservation.wanted, **held)

    def confirm(self, name: str, reservation: Reservation) -> bool:
        if not self._unmoved(name, reservation):
            return False
        self._add(name, **{"confirmed": reservation.tokens, "overdue" if reservation.overdue else "unconfirmed": -1})
        return self._keep(name, reservation, confirmed=True)

    def mark_overdue(self, name: str, reservation: Reservation) -> bool:
        if not self._unmoved(name, reservation):
            return False
        self._add(name, unconfirmed=-1, overdue=1)
        return self._keep(name, reservation, overdue=True)

    def take_place(self, name: str, tenant: str, place: int, tokens: int) -> int:
        mine = max(place, self.next_places.get((name, tenant), 0))
        self.next_places[name, tenant] = mine + tokens
        return mine

    def tenants(self, name: str) -> dict[str, int]:
        return {tenant: end for (ledger, tenant), end in self.next_places.items() if ledger == name}

    def correct_tenant(self, name: str, tenant: str, before: int, after: int) -> bool:
        if self.next_places[name, tenant] != before:
            return False
        self.next_places[name, tenant] = after
        return True

    def release(self, name: str, reservation: Reservation, ttl: int, *, ended: bool) -> bool:  # noqa: ARG002 - as above
        if not self._unmoved(name, reservation):
            return False
        if reservation.tokens:
            none = {"overdue": -1} if reservation.overdue else {"unconfirmed": -1}
            part = {"confirmed": -reservation.tokens} if reservation.confirmed else none
            self._add(name, enqueued=-reservation.tokens, reservations=-1, **part)
        return self._keep(name, reservation, tokens=0, waiting=False, confirmed=False, overdue=False, ended=ended)

    def change(self, name: str, **learned: object) -> None:
        self._move(name, **learned)

    def recount(self, name: str, before: Ledger, after: Ledger) -> bool:
        if self.read(name).version != before.version:
            return False
        self._move(
            name,
            enqueued=after.enqueued,
            reservations=after.reservations,
            confirmed=after.confirmed,
            unconfirmed=after.unconfirmed,
            overdue=after.overdue,
        )
        return True

    def _free(self, name: str, reservation: Reservation) -> bool:
        known = self.reservation(name, reservation.attempt)
        return known is None or not (known.tokens or known.ended)

    def _unmoved(self, name: str, reservation: Reservation) -> bool:
        now = self.reservation(name, reservation.attempt)
        return now is not None and STATE(now) == STATE(reservation)

    def _keep(self, name: str, reservation: Reservation, **members: object) -> bool:
        self.held.setdefault(name, {})[reservation.attempt] = msgspec.structs.replace(reservation, **members)
        return True

    def _move(self, name: str, **members: object) -> None:
        book = self.read(name)
        self.books[name] = msgspec.structs.replace(book, version=book.version + 1, **members)

    def _add(self, name: str, **more: int) -> None:
        book = self.read(name)
        self._move(name, **{each: getattr(book, each) + add for each, add in more.items()})
