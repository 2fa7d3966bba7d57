"""The records of what each tenant uses: the bytes that it stores, and the bill of each of its batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.adapters.table import ANY, INDEX, Table, behind, changing, members
from batchyard.costs.bill import Bill
from batchyard.domain.stored_file import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

SUMS: Final = "STORED"  # the name of all sums in the index


class QuotaStore(Table):
    """Read and change the sums; each change is one write, so that calls side by side lose none."""

    def __init__(self, table: str, most_bytes: int, dynamodb: DynamoDBClient | None = None) -> None:
        """Use this table; a tenant may store `most_bytes`. With 0 there is no limit, and nothing is counted."""
        super().__init__(table, dynamodb)
        self.most_bytes = most_bytes

    def read(self, tenant: str) -> Stored:
        """Read a tenant's sum as it is now."""
        return msgspec.convert({"tenant": tenant, **self._find(_key(tenant))}, Stored)

    def add(self, tenant: str, size: int, now: int) -> bool:
        """Count bytes that are about to be stored; False if the tenant may not store so many more."""
        return not self.most_bytes or self._add(tenant, size, now, self.most_bytes)

    def count(self, tenant: str, size: int, now: int) -> None:
        """Count bytes that are stored whatever the limit."""
        if self.most_bytes:
            self._add(tenant, size, now, None)

    def give_back(self, tenant: str, size: int, now: int) -> None:
        """Count bytes that are stored no more."""
        self.count(tenant, -size, now)

    def _add(self, tenant: str, size: int, now: int, most: int | None) -> bool:
        listed = {"changed_at": now, "tenant": tenant, "gsi1pk": SUMS, "gsi1sk": tenant}
        fits, values = "", dict[str, object]()
        if most is not None:
            if size > most:
                return False
            fits, values = "attribute_not_exists(#bytes) OR #bytes <= :room", {":room": most - size}
        return self._try_change(changing(_key(tenant), listed, fits, values, adds={"bytes": size}))

    def all(self, after: str) -> Iterator[Stored]:
        """Yield the sums of tenants by name, behind the name `after`; one that cannot be read is due to be made anew."""
        rest, start = behind("gsi1sk", after or None)
        found = self._query(f"gsi1pk = :sums{rest}", {":sums": SUMS, **start}, IndexName=INDEX)
        return map(_listed, found)

    def keep_bill(self, tenant: str, bill: Bill, expires_at_ttl: int) -> None:
        """Record the bill of a batch; once more changes nothing."""
        key = {"pk": _bills(tenant), "sk": f"{bill.day}#{bill.batch_id}"}
        self._put(key, {**members(bill), "expires_at_ttl": expires_at_ttl}, ANY)

    def bills(self, tenant: str, first_day: str, last_day: str) -> Iterator[Bill]:
        """Yield the bills of a tenant from one day to another, both included, in the order of days."""
        values = {":pk": _bills(tenant), ":first": first_day, ":last": f"{last_day}~"}
        found = self._query("pk = :pk AND sk BETWEEN :first AND :last", values, ConsistentRead=True)
        return (msgspec.convert(item, Bill) for item in found)

    def correct(self, before: Stored, size: int, now: int) -> bool:
        """Write the true sum over the sum that was read as `before`; False if the sum was changed since."""
        counted = {"bytes": size, "counted_at": now}
        return self._try_change(changing(_key(before.tenant), counted, "#bytes = :seen", {":seen": before.bytes}))


def _listed(item: dict[str, Any]) -> Stored:
    try:
        return msgspec.convert(item, Stored)
    except msgspec.ValidationError:
        return Stored(tenant=item["gsi1sk"])


def _bills(tenant: str) -> str:
    return f"USAGE#{tenant}"


def _key(tenant: str) -> dict[str, str]:
    return {"pk": f"STORED#{tenant}", "sk": "BYTES"}
