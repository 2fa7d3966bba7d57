"""API keys, Idempotency-Keys and firings, in dictionaries."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, Protocol

import msgspec

from batchyard.adapters.stores.api_key_store import KEEP_REVOKED, ApiKeyStore
from batchyard.adapters.stores.gather_store import EMPTY, KEEP_CLAIMS, OF_A_ROUND, OPEN, VOID, FolderFiring, GatherStore
from batchyard.adapters.stores.idempotency_store import FirstUse, IdempotencyStore
from batchyard.domain.api_key import ApiKey
from batchyard.domain.batch import Batch
from batchyard.domain.errors import NotFound, StoreError
from batchyard.domain.statuses import is_unsent

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

    def firing(self, tenant: str, name: str, batch_id: str) -> FolderFiring | None:
        known = self.firings.get(batch_id)
        return known if known and (known.tenant, known.name) == (tenant, name) else None

    def reopen(self, firing: FolderFiring, now: int, expires_at: int) -> FolderFiring:
        known = self.firings[firing.batch_id]
        if known.state == EMPTY and known.created_at == firing.created_at:
            begun = max(now, firing.created_at + 1)
            anew: dict[str, Any] = {"state": OPEN, "created_at": begun, "expires_at_ttl": expires_at}
            self._set(firing.batch_id, **anew, **dict.fromkeys(OF_A_ROUND))
        return self.firings[firing.batch_id]

    def note(self, firing: FolderFiring, listing: str, reached: str) -> None:
        known = self.firings.get(firing.batch_id)
        same = known is not None and known.created_at == firing.created_at and known.listed is None
        if known is not None and same and (known.reached is None or known.reached < reached):
            self._set(firing.batch_id, listing=listing, reached=reached)

    def seal(self, firing: FolderFiring, listed: str) -> FolderFiring:
        known = self.firings[firing.batch_id]
        if known.listed is None and known.created_at == firing.created_at:
            self._set(firing.batch_id, listed=listed)
        return self.firings[firing.batch_id]

    def postpone(self, firing: FolderFiring, due_at: int) -> None:
        if firing.batch_id in self.firings:
            self._set(firing.batch_id, due_at=due_at)

    def leave(self, firing: FolderFiring, now: int) -> None:
        known = self.firings.get(firing.batch_id)
        if known is not None and known.due_at is None:
            self._set(firing.batch_id, due_at=now)

    def end(self, firing: FolderFiring, state: str) -> None:
        known = self.firings.get(firing.batch_id)
        other_round = state == EMPTY and known is not None and known.created_at != firing.created_at
        if known is not None and known.state != VOID and not other_round:
            self._set(firing.batch_id, state=state)

    def free(self, tenant: str, name: str, batch_id: str, now: int) -> None:
        if self.firing(tenant, name, batch_id) is not None:
            self._set(batch_id, state=VOID, expires_at_ttl=now + KEEP_CLAIMS)

    def _set(self, batch_id: str, **members: Any) -> None:
        self.firings[batch_id] = msgspec.structs.replace(self.firings[batch_id], **members)

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

    def void(self, tenant: str, name: str, batch_ids: Collection[str]) -> set[str]:
        known = {each: self._batches.find_batch(each) for each in batch_ids}
        firings = [self.firing(tenant, name, each) for each, batch in known.items() if batch is None]
        unsent = {
            each for each, batch in known.items() if batch is not None and is_unsent(batch.status, batch.in_progress_at)
        }
        return unsent | {each.batch_id for each in firings if each is not None and each.state == VOID}


class MemoryIdempotencyStore(IdempotencyStore):
    """First uses in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[str, FirstUse] = {}

    def remember(self, token: str, use: FirstUse, expires_at: int) -> FirstUse:  # noqa: ARG002 - time drops nothing here
        fit(token)
        return self.known.setdefault(token, use)
