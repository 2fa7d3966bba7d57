"""The records of API keys, and of how many requests each key had in a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from batchyard.adapters.stores.table import ANY, THERE, Table, changing, members
from batchyard.domain.api_key import ApiKey
from batchyard.domain.numbers import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS: Final = "KEYS"  # the list of all keys: in the table, for functions may read each kind of list in the index

KEEP_REVOKED: Final = 90 * DAY  # a key that was revoked is listed; one that is unknown opens as little


class ApiKeyStore(Table):
    """Read and write the records of API keys."""

    def create(self, key: ApiKey) -> None:
        """Record a new key; its id is random, so that only a repeated request finds a record there."""
        listed = {"pk": KEYS, "sk": f"{key.tenant}#{key.created_at:010}#{key.key_id}"}
        self._put(listed, {"key_id": key.key_id}, ANY)  # first, so that a key which opens can be found, and revoked
        self._put(_place(key), {"key_id": key.key_id}, ANY)
        self._put(_key(key.key_id), members(key), ANY)

    def key(self, key_id: str) -> ApiKey:
        """Read a key; raises NotFound."""
        return msgspec.convert(self._get(_key(key_id)), ApiKey)

    def all(self) -> Iterator[ApiKey]:
        """Yield every key, by tenant and age."""
        listed = self._query("pk = :keys", {":keys": KEYS}, ConsistentRead=True)
        found = (self._find(_key(item["key_id"])) for item in listed)
        return (msgspec.convert(item, ApiKey) for item in found if item)

    def of_tenant(self, tenant: str) -> list[ApiKey]:
        """Return the keys of a tenant, newest first."""
        listed = self._query("pk = :pk", {":pk": _place_of(tenant)}, ConsistentRead=True)
        found = self._find_many([_key(item["key_id"]) for item in listed])
        keys = [msgspec.convert(item, ApiKey) for item in found]
        return sorted(keys, key=lambda each: (each.created_at, each.key_id), reverse=True)

    def revoke(self, key_id: str, now: int) -> bool:
        """Revoke a key, whose record goes some months later; False where there is none of this id."""
        return self._try_change(
            changing(_key(key_id), {"revoked_at": now, "expires_at_ttl": now + KEEP_REVOKED}, THERE)
        )

    def note_use(self, key_id: str, now: int) -> None:
        """Record when a key was used; nothing where there is none of this id."""
        self._try_change(changing(_key(key_id), {"last_used_at": now}, THERE))

    def count_request(self, key_id: str, minute: int, most: int) -> bool:
        """Count a request of a key in a minute, which is numbered since 1970; False if the key has had `most` in it."""
        place = {"pk": f"REQUESTS#{key_id}", "sk": f"MINUTE#{minute}"}
        kept = {"expires_at_ttl": (minute + 2) * MINUTE}
        fits = "attribute_not_exists(#requests) OR #requests < :most"
        return self._try_change(changing(place, kept, fits, {":most": most}, adds={"requests": 1}))


def _key(key_id: str) -> dict[str, str]:
    return {"pk": f"KEY#{key_id}", "sk": "KEY"}


def _place(key: ApiKey) -> dict[str, str]:
    return {"pk": _place_of(key.tenant), "sk": f"{key.created_at:010}#{key.key_id}"}


def _place_of(tenant: str) -> str:
    return f"KEYSOF#{tenant}"
