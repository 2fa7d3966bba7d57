"""The keys of the front door as one process knows them."""

import time
from collections.abc import Callable
from typing import Any, Final

from batchyard.adapters.batch_store import Records
from batchyard.api import api_keys
from batchyard.domain.errors import NotFound

FRESH: Final = 30.0  # seconds; a revoked key must open nothing a minute later


class Keyring:
    """Tell whose key a request carries; a key's record is read again after `FRESH` seconds.

    Only records are kept, never a key or a verdict, and only of keys that there are: guesses take no room.
    """

    def __init__(self, records: Records, clock: Callable[[], float] = time.time) -> None:
        """Read keys from these records."""
        self._records, self._clock = records, clock
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    def tenant_of(self, authorization: str) -> str | None:
        """Tell whose key an `Authorization: Bearer …` header carries; None for any that is not good."""
        key = api_keys.parse(authorization)
        if key is None:
            return None
        try:
            record = self._record(key.key_id)
        except NotFound:
            return None
        return api_keys.opened_by(record, key)

    def _record(self, key_id: str) -> dict[str, Any]:
        read_at, record = self._known.get(key_id, (float("-inf"), {}))
        now = self._clock()
        if not 0 <= now - read_at < FRESH:
            self._known.pop(key_id, None)
            record = self._records.item(f"KEY#{key_id}", "KEY")
            self._known[key_id] = now, record
        return record
