"""API keys and Idempotency-Keys, in dictionaries."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from batchyard.adapters.api_key_store import KEEP_REVOKED, ApiKeyStore
from batchyard.adapters.idempotency_store import FirstUse, IdempotencyStore
from batchyard.domain.api_key import ApiKey
from batchyard.domain.errors import NotFound, StoreError

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


class MemoryIdempotencyStore(IdempotencyStore):
    """First uses in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[str, FirstUse] = {}

    def remember(self, token: str, use: FirstUse, expires_at: int) -> FirstUse:  # noqa: ARG002 - time drops nothing here
        fit(token)
        return self.known.setdefault(token, use)
