"""The records of Idempotency-Keys: each is used for one request."""

from __future__ import annotations

from typing import NamedTuple

from batchyard.adapters.stores.table import Table
from batchyard.domain.errors import StaleRecord


class FirstUse(NamedTuple):
    """The request that an Idempotency-Key was used for first."""

    #: The batch that the request asked for.
    batch_id: str
    #: A digest of the request's body.
    digest: str


class IdempotencyStore(Table):
    """Remember for which request an Idempotency-Key was used first."""

    def remember(self, token: str, use: FirstUse, expires_at: int) -> FirstUse:
        """Record the use of a key unless the key was used before; return its first use. `token` names the key."""
        key = {"pk": f"IDEMPOTENCY#{token}", "sk": "KEY"}
        try:
            self._put(key, {**use._asdict(), "expires_at_ttl": expires_at})
        except StaleRecord:
            known = self._get(key)
            return FirstUse(known["batch_id"], known["digest"])
        return use
