"""API keys, Idempotency-Keys and firings, in dictionaries."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Protocol

import msgspec

from batchyard.adapters.stores.api_key_store import KEEP_REVOKED, ApiKeyStore
from batchyard.adapters.stores.gather_store import OPEN, FolderFiring, GatherStore
from batchyard.adapters.stores.idempotency_store import FirstUse, IdempotencyStore
from batchyard.domain.api_key import ApiKey
from batchyard.domain.batch import Batch
from batchyard.domain.errors import NotFound, StoreError
from batchyard.domain.statuses import FAILED

LONGEST_KEY = 1_000  # bytes; the 1,024 of `pk`, which is a sort key of indexes too, have room for a prefix


def fit(key: str) -> None:
    """Refuse what DynamoDB would: a key that is too long, or one that is no text in UTF-8."""
    try:
        if len(key.encode()) <= LONGEST_KEY:
            return
    except UnicodeEncodeError as error:
        raise StoreError(f"no text: {key!r}") from error
    raise StoreError(f"too long: {key[:64]}")


class MemoryApiKeyStore(ApiKeyStore):
    """API keys in a dictionary; `looks` counts the keys that were read."""

    def __init__(self) -> None:
        self.known: dict[str, ApiKey] = {}
        self.looks = 0
        self.uses = 0
        self.counted: Counter[tuple[str, int]] = Counter()

    def create(self, key: ApiKey) -> None:
        self.known[key.key_id] = key

    def key(self, key_id: str) -> ApiKey:
        fit(key_id)
        self.looks += 1
        if key_id not in self.known:
            raise NotFound(key_id)
        return self.known[key_id]

    def all(self) -> Iterator[ApiKey]:
        return iter(sorted(self.known.values(), key=lambda each: (each.tenant, each.created_at, each.key_id)))

    def of_tenant(self, tenant: str) -> list[ApiKey]:
        own = [each for each in self.known.values() if each.tenant == tenant]
        return sorted(own, key=lambda each: (each.created_at, each.key_id), reverse=True)

    def revoke(self, key_id: str, now: int) -> bool:
        if key_id not in self.known:
            return False
        changes = {"revoked_at": now, "expires_at_ttl": now + KEEP_REVOKED}
        self.known[key_id] = msgspec.structs.replace(self.known[key_id], **changes)
        return True

    def note_use(self, key_id: str, now: int) -> None:
        self.uses += 1
        if key_id in self.known:
            self.known[key_id] = msgspec.structs.replace(self.known[key_id], last_used_at=now)

    def count_request(self, key_id: str, minute: int, most: int) -> bool:
        if self.counted[key_id, minute] >= most:
            return False
        self.counted[key_id, minute] += 1
        return True


class MemoryBatches(Protocol):
    """Where batches are found."""

    def find_batch(self, batch_id: str) -> Batch | None: ...


class MemoryGatherStore(GatherStore):
    """Firings and claims in dictionaries, under the real ones' conditions."""

    def __init__(self, batches: MemoryBatches) -> None:
        self._batches = batches
        self.firings: dict[str, FolderFiring] = {}
        self.claims: dict[tuple[str, str, str], str] = {}

    def open(self, firing: FolderFiring) -> FolderFiring:
        return self.firings.setdefault(firing.batch_id, firing)

    def seal(self, firing: FolderFiring, listed: str) -> FolderFiring:
        known = self.firings[firing.batch_id]
        if known.listed is None:
            self.firings[firing.batch_id] = msgspec.structs.replace(known, listed=listed)
        return self.firings[firing.batch_id]

    def end(self, firing: FolderFiring, state: str) -> None:
        if firing.batch_id in self.firings:
            known = self.firings[firing.batch_id]
            self.firings[firing.batch_id] = msgspec.structs.replace(known, state=state)

    def open_firings(self) -> Iterator[FolderFiring]:
        return iter([each for each in self.firings.values() if each.state == OPEN])

    def claimed(self, tenant: str, name: str, files: Collection[str]) -> dict[str, str]:
        return {each: self.claims[tenant, name, each] for each in files if (tenant, name, each) in self.claims}

    def claim(self, firing: FolderFiring, file: str, now: int, over: str = "") -> bool:  # noqa: ARG002 - no time passes here
        place = firing.tenant, firing.name, file
        if self.claims.get(place) not in {None, firing.batch_id, over or None}:
            return False
        self.claims[place] = firing.batch_id
        return True

    def refused(self, batch_ids: Collection[str]) -> set[str]:
        known = [found for each in batch_ids if (found := self._batches.find_batch(each))]
        return {batch.batch_id for batch in known if batch.status == FAILED and batch.in_progress_at is None}


class MemoryIdempotencyStore(IdempotencyStore):
    """First uses in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[str, FirstUse] = {}

    def remember(self, token: str, use: FirstUse, expires_at: int) -> FirstUse:  # noqa: ARG002 - time drops nothing here
        fit(token)
        return self.known.setdefault(token, use)
