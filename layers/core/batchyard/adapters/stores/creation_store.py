"""The records that bound the creation of provider batches at one provider: how many in an hour and at once, and how large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from batchyard.adapters.stores.table import ANY, NEW, Table, changing
from batchyard.domain.create_limits import Creations

if TYPE_CHECKING:
    from collections.abc import Collection

    from mypy_boto3_dynamodb import DynamoDBClient

MOST_BYTES: Final = "most_bytes"
SLOTS: Final = "slots"  # the set of slots that are held; DynamoDB drops an empty set


class CreationStore(Table):
    """Read and change these records."""

    def __init__(self, table: str, provider: str, dynamodb: DynamoDBClient | None = None) -> None:
        """Use this table, for this provider."""
        super().__init__(table, dynamodb)
        self.provider = provider
        self._hour, self._slots, self._file = (
            {"pk": f"CREATES#{provider}", "sk": name} for name in ("HOUR", "SLOTS", "FILE")
        )

    def creations(self) -> Creations:
        """Read the creations of the last hour."""
        return msgspec.convert(self._find(self._hour), Creations)

    def save_creations(self, before: Creations, after: Creations) -> bool:
        """Write the creations over those that were read as `before`; False if they were changed since."""
        sets = {"counts": after.counts, "waiting": after.waiting, "version": before.version + 1}
        unmoved = f"{NEW} OR #version = :seen"
        return self._try_change(changing(self._hour, sets, unmoved, {":seen": before.version}))

    def most_bytes(self, now: int) -> int | None:
        """Return the largest file that may be sent to the provider, as it was learned; None if it refused none of late."""
        found = self._find(self._file)
        return int(found[MOST_BYTES]) if found.get("expires_at_ttl", 0) > now else None

    def learn_most_bytes(self, size: int, now: int, until: int) -> None:
        """Remember until a time that no file larger than this is to be sent, unless a smaller size is known."""
        lower = f"attribute_not_exists(#{MOST_BYTES}) OR #{MOST_BYTES} > :size OR #expires_at_ttl <= :now"
        sets = {MOST_BYTES: size, "expires_at_ttl": until}
        self._try_change(changing(self._file, sets, lower, {":size": size, ":now": now}))

    def take_slot(self, slot: str, most: int) -> bool:
        """Take a slot to submit in, if fewer than `most` are held."""
        free = f"attribute_not_exists(#{SLOTS}) OR size(#{SLOTS}) < :most"
        return self._try_change(changing(self._slots, {}, free, {":most": most}, adds={SLOTS: {slot}}))

    def slots(self) -> list[str]:
        """Read the slots that are held."""
        return list(self._find(self._slots).get(SLOTS, ()))

    def drop_slots(self, slots: Collection[str]) -> None:
        """Give slots back; a slot that nobody holds is no error."""
        self._try_change(changing(self._slots, {}, ANY, deletes={SLOTS: set(slots)}))
