"""Services whose bucket, table, state machine, bus and provider are dictionaries: the real ones' methods without a socket."""

import base64
import hashlib
import threading
import zlib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Self, cast

import msgspec

from batch_client import APIConnectionError, BatchClientError, File, FileDeleted, HttpInfo, NotFoundError
from batch_client import Batch as ProviderBatch
from batchyard.adapters.batch_store import BatchStore
from batchyard.adapters.bucket import CHUNK, Arrived, Bucket
from batchyard.adapters.event_bus import EventBus
from batchyard.adapters.executions import Executions, execution_name
from batchyard.adapters.file_bucket import FileBucket
from batchyard.adapters.file_store import FileStore
from batchyard.adapters.lambda_functions import LambdaFunction
from batchyard.adapters.object_join import ObjectJoin, Source
from batchyard.adapters.object_writer import Begun, Writer
from batchyard.adapters.quota_store import QuotaStore
from batchyard.adapters.secrets_manager import Secret
from batchyard.adapters.sweep_store import PAGE, SweepStore
from batchyard.adapters.token_ledger_store import TokenLedgerStore
from batchyard.adapters.upload_store import UploadStore
from batchyard.domain import statuses
from batchyard.domain.batch import Batch, Counts, InputObject, Usage
from batchyard.domain.create_rate import Creations
from batchyard.domain.errors import InputGone, NotFound, StaleRecord, StoreError
from batchyard.domain.multipart_upload import StoredUpload, UploadPart
from batchyard.domain.quota import Stored
from batchyard.domain.shard import Shard, with_next_version
from batchyard.domain.stored_file import StoredFile
from batchyard.domain.token_ledger import Ledger, Reservation, Terms
from batchyard.lines.byte_ranges import ByteRanges
from batchyard.services import Services
from batchyard.settings import Settings
from tests.unit.batchyard.webhook_memory import MemoryWebhookExecutions, MemoryWebhookSender, MemoryWebhookStore

BUCKET = "batchyard-data-example"
NOW = 1_790_000_000
LONGEST_KEY = 2_000  # bytes; DynamoDB's 2,048 have room for a prefix
BATCH_ID = "batch_5f0c1e8a9b7d4c3e8f2a6b1d0e9c8a7f"


class MemoryBucket(Bucket):
    """Objects in a dictionary, handed out in chunks of `chunk` bytes."""

    def __init__(self, chunk: int = 65_536) -> None:
        self.bucket = BUCKET
        self.chunk = chunk
        self.stored: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.reads: list[tuple[int, int]] = []

    def head(self, key: str, version_id: str | None = None) -> tuple[InputObject, dict[str, str]]:
        data = self.get(key)
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        checksum = f"CRC32:{base64.b64encode(zlib.crc32(data).to_bytes(4, 'big')).decode()}"
        return InputObject(self.bucket, key, etag, len(data), version_id or "v1", checksum), self.metadata.get(key, {})

    def inbox(self, prefix: str, after: str = "") -> Iterator[Arrived]:
        for key in sorted(self.stored):
            if key.startswith(prefix) and key > after:
                yield Arrived(self.head(key)[0], datetime.fromtimestamp(NOW, UTC))

    def chunks(
        self, source: InputObject, start: int = 0, stop: int | None = None, size: int = CHUNK
    ) -> Iterator[bytes]:
        data, stop = self.get(source.key), source.size if stop is None else stop
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != source.etag:
            raise InputGone(source.uri)
        self.reads.append((start, stop))
        piece = min(size, self.chunk)
        for begin in range(start, stop, piece):
            yield data[begin : min(begin + piece, stop)]

    def get(self, key: str) -> bytes:
        if key not in self.stored:
            raise NotFound(key)
        return self.stored[key]

    def link(self, source: InputObject) -> str:
        return f"https://{BUCKET}.example/{source.key}"

    def put(self, key: str, data: bytes) -> None:
        self.stored[key] = data

    def writer(self, key: str, *, hashing: bool = True, begun: Begun | None = None) -> Writer:
        return Writer(self, cast("Any", None), key, hashing=hashing, begun=begun)  # below one part, a writer only puts


def _fit(key: str) -> None:
    """Refuse what DynamoDB would: a key of more than 2,048 bytes, or one that is no text in UTF-8."""
    try:
        if len(key.encode()) <= LONGEST_KEY:
            return
    except UnicodeEncodeError as error:
        raise StoreError(f"no text: {key!r}") from error
    raise StoreError(f"too long: {key[:64]}")


class MemoryBatchStore(BatchStore):
    """Records in dictionaries, under the real ones' conditions."""

    def __init__(self) -> None:
        self.batches: dict[str, Batch] = {}
        self.kept: dict[tuple[str, int], Shard] = {}
        self.held_by: dict[str, set[int]] = {}
        self.others: dict[tuple[str, str], dict[str, Any]] = {}

    def create_batch(self, batch: Batch) -> bool:
        new = batch.batch_id not in self.batches
        self.batches.setdefault(batch.batch_id, batch)
        return new

    def batch(self, batch_id: str) -> Batch:
        found = self.find_batch(batch_id)
        if found is None:
            raise NotFound(batch_id)
        return found

    def find_batch(self, batch_id: str) -> Batch | None:
        _fit(batch_id)
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

    def take_over_batch(self, batch_id: str, wanted: str, /, **changes: object) -> Batch | None:
        known = self.batches.get(batch_id)
        fits = known is not None and (known.status == statuses.VALIDATING or known.endpoint == wanted)
        if known is None or known.owned_by_request or not fits:
            return None
        return self._replace(batch_id, changes)

    def _replace(self, batch_id: str, changes: Mapping[str, object]) -> Batch:
        self.batches[batch_id] = msgspec.structs.replace(self.batches[batch_id], **changes)
        return self.batches[batch_id]

    def open_batches(self, tenant: str, most: int) -> int:
        return min(most, sum(batch.tenant == tenant and not batch.ended for batch in self.batches.values()))

    def list_batches(self, tenant: str, after: str | None, limit: int) -> tuple[list[Batch], bool]:
        own = [batch for batch in reversed(self.batches.values()) if batch.tenant == tenant]
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
        self._move_pause(before.paused if before else None, after)
        self.kept[key] = with_next_version(before, after)
        return self.kept[key]

    def _move_pause(self, before: str | None, after: Shard) -> None:
        if after.paused == before:
            return
        held = self.held_by.setdefault(after.batch_id, set())
        (held.add if after.paused else held.discard)(after.shard)
        known = self.batch(after.batch_id).paused
        self._replace(after.batch_id, {"paused": (after.paused or known) if held else None})

    def _move_counts(self, before: Shard | None, after: Shard) -> None:
        completed = after.completed - (before.completed if before else 0)
        failed = after.failed - (before.failed if before else 0)
        used = after.usage - (before.usage if before else Usage())
        if completed or failed or used != Usage():
            known = self.batch(after.batch_id)
            counts = known.counts
            moved = Counts(counts.total, counts.completed + completed, counts.failed + failed)
            self._replace(after.batch_id, {"counts": moved, "usage": (known.usage or Usage()) + used})

    def link(self, provider_batch_id: str, shard: Shard) -> None:
        item = {"batch_id": shard.batch_id, "shard": shard.shard, "expires_at_ttl": shard.expires_at_ttl}
        self.others[f"PROVIDER#{provider_batch_id}", "LINK"] = item

    def item(self, pk: str, sk: str) -> dict[str, Any]:
        _fit(pk)
        if (pk, sk) not in self.others:
            raise NotFound(pk)
        return self.others[pk, sk]

    def put_once(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.others.setdefault((item["pk"], item["sk"]), dict(item))

    def items_of(self, owner: str) -> Iterator[dict[str, Any]]:
        return iter(
            sorted((each for each in self.others.values() if each.get("gsi1pk") == owner), key=itemgetter("gsi1sk"))
        )

    def change_item(self, pk: str, sk: str, **changes: object) -> None:
        if (pk, sk) not in self.others:
            raise NotFound(pk) from StaleRecord(pk)
        self.others[pk, sk].update(changes)


class MemorySweepStore(SweepStore):
    """The records of memory, seen by the sweep."""

    def __init__(self, batch_store: MemoryBatchStore) -> None:
        self._batch_store = batch_store
        self.done_with: set[str] = set()
        self.bookmarks: dict[str, dict[str, Any]] = {}

    def unsettled(self, after: str | None) -> list[str]:
        left = sorted(set(self._batch_store.batches) - self.done_with)
        return [each for each in left if after is None or each > after][:PAGE]

    def settled(self, batch_id: str) -> None:
        if not self._batch_store.batch(batch_id).ended:
            raise StaleRecord(batch_id)
        self.done_with.add(batch_id)

    def restart(self, batch_id: str, restarts: int) -> bool:
        known = self._batch_store.batch(batch_id)
        if known.ended or known.restarts != restarts:
            return False
        self._batch_store.batches[batch_id] = msgspec.structs.replace(known, restarts=restarts + 1)
        return True

    def bookmark(self, chore: str) -> dict[str, Any]:
        return self.bookmarks.get(chore, {})

    def keep_bookmark(self, chore: str, members: dict[str, object]) -> None:
        self.bookmarks[chore] = members


class MemoryJoint(ObjectJoin):
    """Objects of a dictionary joined in their order."""

    def __init__(self, bucket: MemoryBucket, key: str) -> None:
        self._kept, self._into, self._whole = bucket, key, b""

    def take(self, sources: Sequence[Source]) -> Iterator[bytes]:
        for source in sources:
            piece = self._kept.get(source.key)
            self._whole += piece
            yield piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._kept.put(self._into, self._whole)
            self.version_id = "v1"


class MemoryFileBucket(FileBucket):
    """The objects of files, in the same dictionary as all others; `tags` say for how many seconds each is to live."""

    def __init__(self, bucket: MemoryBucket) -> None:
        self.bucket = bucket
        self.lives: dict[str, int | None] = {}

    def put(self, key: str, data: bytes, life: int | None) -> str | None:
        self.bucket.put(key, data)
        self.lives[key] = life
        return "v1"

    def tag(self, key: str, life: int) -> None:
        self.lives[key] = life

    def read(self, file: StoredFile) -> bytes:
        return self.bucket.get(file.key)

    def link(self, file: StoredFile) -> str:
        return f"https://{BUCKET}.example/{file.key}"

    def delete(self, file: StoredFile) -> None:
        self.bucket.stored.pop(file.key, None)

    def joint(self, key: str, life: int | None) -> ObjectJoin:
        self.lives[key] = life
        return MemoryJoint(self.bucket, key)

    def put_link(self, file: StoredFile, life: int | None) -> str:
        self.lives[file.key] = life
        return f"{self.link(file)}?put"

    def begin(self, key: str, life: int | None) -> str:
        self.lives[key] = life
        return f"parts of {key}"

    def part_link(self, file: StoredFile, multipart_id: str, number: int, size: int) -> str:
        return f"{self.link(file)}?{multipart_id}/{number}/{size}"

    def finish(self, file: StoredFile, multipart_id: str) -> None:
        sent = self.bucket.stored.pop(multipart_id, b"")
        if len(sent) == file.bytes:
            self.bucket.put(file.key, sent)


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
        _fit(file_id)
        if file_id not in self.known:
            raise NotFound(file_id)
        return self.known[file_id]

    def change(self, file_id: str, **changes: object) -> StoredFile:
        known = self.known.get(file_id)
        if known is None or known.deleted_at is not None:
            raise StaleRecord(file_id)
        self.known[file_id] = msgspec.structs.replace(known, **changes)
        return self.known[file_id]

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
        self.parts: list[UploadPart] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def create(self, upload: StoredUpload) -> None:
        self.known[upload.upload_id] = upload

    def upload(self, upload_id: str) -> StoredUpload:
        if upload_id not in self.known:
            raise NotFound(upload_id)
        return self.known[upload_id]

    def add_part(self, part: UploadPart) -> None:
        self.parts.append(part)

    def pending(self, tenant: str, now: int) -> Iterator[StoredUpload]:
        own = (each for each in self.known.values() if each.tenant == tenant)
        return iter([each for each in own if each.status_at(now) == "pending"])

    def count_part(self, upload_id: str, size: int, most_bytes: int, most_parts: int) -> bool:
        known = self.known[upload_id]
        if known.received + size > most_bytes or known.parts >= most_parts:
            return False
        more = {"parts": known.parts + 1, "received": known.received + size}
        self.known[upload_id] = msgspec.structs.replace(known, **more)
        return True

    def part_sizes(self, upload_id: str) -> dict[str, int]:
        self.meanwhile()
        return {part.part_id: part.bytes for part in self.parts if part.upload_id == upload_id}

    def end(self, upload_id: str, status: str) -> StoredUpload:
        if self.known[upload_id].status != "pending":
            raise StaleRecord(upload_id)
        self.known[upload_id] = msgspec.structs.replace(self.known[upload_id], status=status)
        return self.known[upload_id]


class MemoryQuotaStore(QuotaStore):
    """The sums of what tenants store in a dictionary, under the real ones' conditions."""

    def __init__(self) -> None:
        self.known: dict[str, Stored] = {}

    def read(self, tenant: str) -> Stored:
        return self.known.get(tenant, Stored(tenant=tenant))

    def add(self, tenant: str, size: int, now: int, most: int | None) -> bool:
        stored = self.read(tenant)
        if most is not None and (size > most or (tenant in self.known and stored.bytes + size > most)):
            return False
        self.known[tenant] = msgspec.structs.replace(stored, bytes=stored.bytes + size, changed_at=now)
        return True

    def all(self, after: str) -> Iterator[Stored]:
        return iter([self.known[tenant] for tenant in sorted(self.known) if tenant > after])

    def correct(self, before: Stored, size: int, now: int) -> bool:
        if self.read(before.tenant).bytes != before.bytes:
            return False
        self.known[before.tenant] = msgspec.structs.replace(self.read(before.tenant), bytes=size, counted_at=now)
        return True


class MemoryTokenLedgerStore(TokenLedgerStore):
    """Ledgers in dictionaries, under the real ones' conditions."""

    def __init__(self) -> None:
        self.books: dict[str, Ledger] = {}
        self.held: dict[str, dict[str, Reservation]] = {}
        self.created: dict[str, Creations] = {}

    def read(self, name: str) -> Ledger:
        return self.books.get(name, Ledger())

    def reservation(self, name: str, attempt: str) -> Reservation | None:
        return self.held.get(name, {}).get(attempt)

    def ahead(self, name: str, reservation: Reservation) -> Iterator[Reservation]:
        waiting = [each for each in self.held.get(name, {}).values() if each.waiting]
        older = (each for each in waiting if (each.since, each.attempt) < (reservation.since, reservation.attempt))
        return iter(sorted(older, key=lambda each: (each.since, each.attempt)))

    def names(self) -> Iterator[str]:
        return iter(sorted(self.books))

    def reservations(self, name: str) -> Iterator[Reservation]:
        return iter([each for each in self.held.get(name, {}).values() if each.tokens or each.waiting])

    def wait(self, name: str, reservation: Reservation, ttl: int) -> bool:  # noqa: ARG002 - time drops nothing here
        return self._free(name, reservation) and self._keep(
            name, reservation, tokens=0, waiting=True, confirmed=False, ended=False
        )

    def take(self, name: str, reservation: Reservation, terms: Terms, ttl: int) -> bool:  # noqa: ARG002 - as above
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
        self._move(name, probe_at=until, **more)
        return self._keep(name, reservation, tokens=reservation.wanted, waiting=False, confirmed=False, ended=False)

    def confirm(self, name: str, reservation: Reservation) -> bool:
        if not self._unmoved(name, reservation):
            return False
        self._add(name, confirmed=reservation.tokens, unconfirmed=-1)
        return self._keep(name, reservation, confirmed=True)

    def release(self, name: str, reservation: Reservation, ttl: int, *, ended: bool) -> bool:  # noqa: ARG002 - as above
        if not self._unmoved(name, reservation):
            return False
        if reservation.tokens:
            part = {"confirmed": -reservation.tokens} if reservation.confirmed else {"unconfirmed": -1}
            self._add(name, enqueued=-reservation.tokens, reservations=-1, **part)
        return self._keep(name, reservation, tokens=0, waiting=False, confirmed=False, ended=ended)

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
        )
        return True

    def creations(self, provider: str) -> Creations:
        return self.created.get(provider, Creations())

    def save_creations(self, provider: str, before: Creations, after: Creations) -> bool:
        if self.creations(provider).version != before.version:
            return False
        self.created[provider] = msgspec.structs.replace(after, version=before.version + 1)
        return True

    def _free(self, name: str, reservation: Reservation) -> bool:
        known = self.reservation(name, reservation.attempt)
        return known is None or not (known.tokens or known.ended)

    def _unmoved(self, name: str, reservation: Reservation) -> bool:
        now = self.reservation(name, reservation.attempt)
        return now is not None and (now.tokens, now.confirmed, now.ended) == (
            reservation.tokens,
            reservation.confirmed,
            reservation.ended,
        )

    def _keep(self, name: str, reservation: Reservation, **members: object) -> bool:
        self.held.setdefault(name, {})[reservation.attempt] = msgspec.structs.replace(reservation, **members)
        return True

    def _move(self, name: str, **members: object) -> None:
        book = self.read(name)
        self.books[name] = msgspec.structs.replace(book, version=book.version + 1, **members)

    def _add(self, name: str, **more: int) -> None:
        book = self.read(name)
        self._move(name, **{each: getattr(book, each) + add for each, add in more.items()})


class MemoryExecutions(Executions):
    """The executions started and `looked` at, by name; `statuses` tells those that do not run any more."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.looked: list[str] = []
        self.statuses: dict[str, str] = {}

    def start(self, batch_id: str, restarts: int = 0) -> bool:
        name = execution_name(batch_id, restarts)
        self.started.append(name)
        return self.started.count(name) == 1

    def status(self, batch_id: str, restarts: int) -> str | None:
        name = execution_name(batch_id, restarts)
        self.looked.append(name)
        return self.statuses.get(name, "RUNNING") if name in self.started else None

    def list_running(self) -> frozenset[str]:
        return frozenset(each for each in self.started if self.statuses.get(each, "RUNNING") == "RUNNING")


class MemoryLambdaFunction(LambdaFunction):
    """The invocations asked for."""

    def __init__(self) -> None:
        self.invoked: list[dict[str, object]] = []

    def invoke(self, payload: Mapping[str, object]) -> None:
        self.invoked.append(dict(payload))


class MemoryEventBus(EventBus):
    """The statuses announced."""

    def __init__(self) -> None:
        self.announced: list[str] = []

    def announce(self, batch: Batch, what: str | None = None) -> None:
        self.announced.append(what or batch.status)


class MemorySecret(Secret):
    """A made-up key that counts how often it was said to be stale."""

    def __init__(self) -> None:
        self.forgotten = 0
        self.age = 0.0
        self.text = "sk-made-up"

    def __call__(self) -> str:
        return self.text

    def forget(self, older_than: float = 0.0) -> bool:
        self.forgotten += 1
        return self.age >= older_than


def never_sent() -> APIConnectionError:
    """Make the error of a request that no byte of has left."""
    error = APIConnectionError("refused at the door")
    error.sent = False
    return error


def is_it(
    made: ProviderBatch, since: int, metadata_key: str, value: str, input_file_id: str | None, but: Container[str]
) -> bool:
    """Tell whether a provider's batch is the one that `find_batch` is asked for."""
    of_the_file = not made.metadata and made.input_file_id == input_file_id and made.id not in but
    return (made.metadata.get(metadata_key) == value or of_the_file) and (made.created_at or since) >= since


class MemoryProvider:
    """The Protocol of `batchyard.services.Provider`; what it is to do wrong stands in `trouble`, by method.

    `meanwhile` is what another worker does while a call is on its way there, `on_the_way_back` while its answer is; once.
    """

    def __init__(self) -> None:
        self.clock: Callable[[], int] = lambda: NOW
        self.files: dict[str, bytes] = {}
        self.uploads: dict[str, File] = {}
        self.deleted: list[str] = []  # a test may read what it held all the same
        self.batches: dict[str, ProviderBatch] = {}
        self.sent: list[tuple[str, bytes]] = []
        self._one_at_a_time = threading.Lock()
        self.says = b'{"usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}}'
        self.calls: list[str] = []
        self.trouble: dict[str, list[BatchClientError]] = {}
        self.cut: dict[str, BatchClientError] = {}  # how a file's download ends, when not well
        self.meanwhile: dict[str, Callable[[], object]] = {}
        self.on_the_way_back: dict[str, Callable[[], object]] = {}

    def create_file(self, source: ByteRanges, filename: str) -> File:
        self._called("create_file")
        file = File(id=f"file-{len(self.files)}", filename=filename, created_at=self.clock())
        self.files[file.id], self.uploads[file.id] = b"".join(source), file
        return file

    def create_batch(
        self, *, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]
    ) -> ProviderBatch:
        self._called("create_batch")
        batch = ProviderBatch(
            id=f"pb-{len(self.batches)}", status="in_progress", endpoint=endpoint, input_file_id=input_file_id,
            completion_window=completion_window, metadata=metadata, created_at=self.clock(),
        )  # fmt: skip
        self.batches[batch.id] = batch
        self.on_the_way_back.pop("create_batch", lambda: None)()
        return batch

    def retrieve_batch(self, batch_id: str) -> ProviderBatch:
        self._called("retrieve_batch")
        if batch_id not in self.batches:
            raise NotFoundError("no such batch", status=404)
        seen = self.batches[batch_id]
        self.on_the_way_back.pop("retrieve_batch", lambda: None)()
        return seen

    def cancel_batch(self, batch_id: str) -> ProviderBatch:
        self._called("cancel_batch")
        if not self.batches[batch_id].ended:
            self.batches[batch_id] = msgspec.structs.replace(self.batches[batch_id], status="cancelling")
        return self.batches[batch_id]

    def find_batch(
        self, metadata_key: str, value: str, since: int, *, input_file_id: str | None = None, but: Container[str] = ()
    ) -> ProviderBatch | None:
        self._called("find_batch")
        given = since, metadata_key, value, input_file_id, but
        return next((batch for batch in self.batches.values() if is_it(batch, *given)), None)

    def iter_batches(self, *, after: str | None) -> Iterator[ProviderBatch]:
        self._called("iter_batches")
        newest_first = list(reversed(self.batches.values()))
        begin = next((at + 1 for at, batch in enumerate(newest_first) if batch.id == after), 0)
        yield from newest_first[begin:]

    def iter_files(self, *, purpose: str, after: str | None) -> Iterator[File]:
        self._called("iter_files")
        assert purpose == "batch"
        newest_first = list(reversed(self.uploads.values()))
        begin = next((at + 1 for at, file in enumerate(newest_first) if file.id == after), 0)
        yield from newest_first[begin:]

    def delete_file(self, file_id: str) -> FileDeleted:
        self._called("delete_file")
        if file_id not in self.files or file_id in self.deleted:
            raise NotFoundError("no such file", status=404)
        self.deleted.append(file_id)
        self.uploads.pop(file_id, None)
        return FileDeleted(id=file_id)

    def download_file(self, file_id: str) -> Iterator[bytes]:
        self._called("download_file")
        data = self.files[file_id]
        self.on_the_way_back.pop("download_file", lambda: None)()
        yield data
        if file_id in self.cut:
            raise self.cut[file_id]

    def send(self, url: str, body: bytes) -> HttpInfo[bytes]:
        with self._one_at_a_time:  # several lines are under way at once
            self.sent.append((url, body))
            self._called("send")
        self.on_the_way_back.pop("send", lambda: None)()
        return HttpInfo(self.says, 200, {"x-request-id": f"req_{len(self.sent)}"})

    def end(self, batch_id: str, status: str, **members: object) -> None:
        self.batches[batch_id] = msgspec.structs.replace(self.batches[batch_id], status=status, **members)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.meanwhile.pop(name, lambda: None)()
        if self.trouble.get(name):
            raise self.trouble[name].pop(0)


class MemoryServices(Services):
    """Services without AWS; `now_is` is its clock."""

    def __init__(self, **settings: str | int) -> None:
        self.now_is = float(NOW)
        self.scripted = MemoryProvider()
        self.scripted.clock = self.now
        given = Settings(**{**_SETTINGS, **settings})  # type: ignore[arg-type]  # each test gives a field its own type
        super().__init__(given, self.scripted, lambda: self.now_is, lambda: 0.0)
        self.fake_bucket, self.table, self.room = MemoryBucket(), MemoryBatchStore(), MemoryTokenLedgerStore()
        self.started, self.invoked, self.bus, self.key = (
            MemoryExecutions(), MemoryLambdaFunction(), MemoryEventBus(), MemorySecret(),
        )  # fmt: skip
        self.bucket, self.batch_store, self.executions = self.fake_bucket, self.table, self.started
        self.sweep_store = MemorySweepStore(self.table)
        self.kept_files, self.file_bodies = MemoryFileStore(), MemoryFileBucket(self.fake_bucket)
        self.token_ledger_store = self.room
        self.kept_uploads = MemoryUploadStore()
        self.quota_store = self.sums = MemoryQuotaStore()
        self.file_store, self.file_bucket, self.upload_store = self.kept_files, self.file_bodies, self.kept_uploads
        self.cancel_function, self.event_bus, self.secret = self.invoked, self.bus, self.key
        self.advanced, self.signing = MemoryLambdaFunction(), MemorySecret()
        self.advance_function, self.webhook_secret = self.advanced, self.signing
        self.root, self.hooks, self.deliveries, self.called = (
            MemorySecret(), MemoryWebhookStore(), MemoryWebhookExecutions(), MemoryWebhookSender(),
        )  # fmt: skip
        self.signing_secret, self.webhook_store = self.root, self.hooks
        self.webhook_executions, self.webhook_sender = self.deliveries, self.called

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now_is += seconds


_SETTINGS: dict[str, str | int] = {
    "bucket": BUCKET, "table": "table", "event_bus": "bus", "provider_base_url": "http://127.0.0.1/v1",
    "provider_secret_id": "secret", "stack": "stack-1", "max_enqueued_tokens": "1000000000",
}  # fmt: skip


def batch(**members: object) -> Batch:
    """Make a batch as it is when it was just created, but for these members."""
    source = InputObject(BUCKET, "inbox/default/requests.jsonl", "etag", 10, "v1")
    new = Batch(
        batch_id=BATCH_ID, tenant="default", status=statuses.VALIDATING, created_at=NOW, input=source,
        completion_window="24h", expires_at=NOW + 86_400, expires_at_ttl=NOW + 90 * 86_400, input_file_id=source.uri,
    )  # fmt: skip
    return msgspec.structs.replace(new, **members)
