"""The records of what each tenant uses: the bytes that it stores, the bill of each of its batches, and its monthly budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.adapters.aws import translated
from batchyard.adapters.stores.table import ANY, INDEX, NEW, Table, behind, changing, encode, members
from batchyard.costs.bill import Bill
from batchyard.costs.budget import Budget, BudgetWarning
from batchyard.domain.errors import StaleRecord
from batchyard.domain.numbers import DAY
from batchyard.domain.stored_file import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

SUMS: Final = "STORED"  # the name of all sums in the index
BUDGETS: Final = "BUDGETS"  # the list of all tenants that ever had a budget, which no function may read
KEPT_WARNINGS: Final = 60 * DAY  # longer than a month
CLAIMED: Final = 60  # seconds, in which one worker alone tells a warning


class QuotaStore(Table):
    """Read and change the sums; each change is one write, so that calls side by side lose none."""

    def __init__(self, table: str, most_bytes: int, dynamodb: DynamoDBClient | None = None) -> None:
        """Use this table; a tenant may store `most_bytes`. With 0 there is no limit, and nothing is counted."""
        super().__init__(table, dynamodb)
        self.most_bytes = most_bytes
        self._sums: dict[tuple[str, str, str], tuple[int, int]] = {}

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

    def paid_once(self, tenant: str, first_day: str, last_day: str) -> tuple[int, int]:
        """Sum up what batches cost of days that no bill is added to any more, and what is assumed beside that.

        A process reads these days once.
        """
        days = tenant, first_day, last_day
        if days not in self._sums:
            paid = assumed = 0
            for bill in self.bills(*days):
                paid, assumed = paid + bill.amount, assumed + bill.assumed
            self._sums[days] = paid, assumed
        return self._sums[days]

    def budget(self, tenant: str) -> Budget | None:
        """Read the monthly budget of a tenant as it is now; None if it has none."""
        found = self._find(_budget(tenant))
        return msgspec.convert(found, Budget) if found else None

    def budgets(self) -> Iterator[Budget]:
        """Yield every budget, by tenant."""
        listed = self._query("pk = :budgets", {":budgets": BUDGETS}, ConsistentRead=True)
        found = (msgspec.convert(item, Budget) for item in self._find_many(_budget(item["sk"]) for item in listed))
        return iter(sorted(found, key=lambda budget: budget.tenant))

    def set_budget(self, budget: Budget) -> None:
        """Give a tenant a budget, in place of the one that it may have."""
        self._put({"pk": BUDGETS, "sk": budget.tenant}, {}, ANY)  # first, so that a budget which holds can be found
        self._put(_budget(budget.tenant), members(budget), ANY)

    def remove_budget(self, tenant: str) -> None:
        """Let a tenant spend without a limit."""
        with translated(f"removing the budget of {tenant}"):
            self._dynamodb.delete_item(TableName=self._table, Key=encode(_budget(tenant)))

    def claim_warning(self, warning: BudgetWarning, owner: str, now: int) -> int | None:
        """Take a warning to be told by `owner`, and return when it was first taken; None if it is told, or another tells it.

        A worker that died in between told nothing for sure: after `CLAIMED` seconds, or when its step is repeated, the
        warning is taken again.
        """
        known = self._find(_warned(warning))
        since: int = known.get("since", now)
        free = "attribute_not_exists(told_at) AND (#owner = :owner OR #claimed_at <= :stale)"
        try:
            self._put_warning(
                warning, since, f"{NEW} OR ({free})", {":owner": owner, ":stale": now - CLAIMED}, owner, now
            )
        except StaleRecord:
            return None
        return since

    def note_warning(self, warning: BudgetWarning, since: int, owner: str, now: int) -> None:
        """Record that `owner` told a warning, which was first taken at `since`."""
        self._put_warning(warning, since, ANY, {}, owner, now, told_at=now)

    def _put_warning(
        self,
        warning: BudgetWarning,
        since: int,
        condition: str,
        values: dict[str, object],
        owner: str,
        now: int,
        **told: int,
    ) -> None:
        kept = {"owner": owner, "claimed_at": now, "since": since, "expires_at_ttl": since + KEPT_WARNINGS, **told}
        self._put(_warned(warning), kept, condition, values)

    def told_warnings(self, tenant: str, month: str, budget: int) -> set[int]:
        """Return at how many percent of this budget a tenant was warned in a month."""
        values = {":pk": f"WARNED#{tenant}", ":of_month": f"{month}#{budget}#"}
        found = self._query("pk = :pk AND begins_with(sk, :of_month)", values, ConsistentRead=True)
        return {int(item["sk"].rpartition("#")[2]) for item in found if "told_at" in item}

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


def _budget(tenant: str) -> dict[str, str]:
    return {"pk": f"BUDGET#{tenant}", "sk": "BUDGET"}


def _warned(warning: BudgetWarning) -> dict[str, str]:
    return {"pk": f"WARNED#{warning.tenant}", "sk": f"{warning.month}#{warning.budget}#{warning.percent:03}"}


def _key(tenant: str) -> dict[str, str]:
    return {"pk": f"STORED#{tenant}", "sk": "BYTES"}
