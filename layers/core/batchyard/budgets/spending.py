"""How the budget of a tenant stands in this month, and what is no longer sent because of it.

No record is written for this. Ended batches have their bills, and running batches have sums, which their shards' own writes
keep. What is about to be sent is recorded with its estimate first and checked then, so that workers side by side cannot
spend the same dollars.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from batchyard.costs.bill import Bill, Share, bill_day
from batchyard.costs.budget import month_of
from batchyard.costs.cost import dollars
from batchyard.costs.usage import Usage
from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.numbers import DAY
from batchyard.domain.stopping import estimate_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from batchyard.domain.shard import Shard
    from batchyard.services import Services

CODE: Final = "budget_exceeded"
SETTLED_AFTER: Final = 5 * DAY  # a batch that drains is billed two days late, and the sweep may be late, too
SEVERAL: Final = "several"  # models, or providers, of a batch that has not ended
REMEDY: Final = "Have the operator raise the budget (make budget)"
HELD_BACK: Final = BatchError(
    CODE,
    f"To send this request would take its tenant above the budget of this month. {REMEDY}, or wait for the next month; then "
    "retry the batch.",
)


class Month(NamedTuple):
    """A tenant's budget in a month of the calendar, in UTC; amounts are parts of 1 / PER_DOLLAR dollars."""

    #: As 2026-11.
    name: str
    budget: int
    #: What ended batches cost, and running ones have cost so far.
    paid: int
    #: What is known by its estimate alone: what stands at the provider, beyond that, and answers that tell no tokens.
    expected: int

    @property
    def spent(self) -> int:
        """Return what counts against the budget."""
        return self.paid + self.expected

    def shape(self) -> dict[str, Any]:
        """Shape the month for people, in US dollars."""
        return {
            "month": self.name, "budget_usd": dollars(self.budget), "spent_usd": dollars(self.spent),
            "estimated_usd": dollars(self.expected),
        }  # fmt: skip


class Spent(NamedTuple):
    """What a batch has used and cost, and what is known by its estimate alone; the bill of one that runs is of today."""

    bill: Bill
    expected: int = 0


def running(services: Services, tenant: str) -> dict[str, Spent]:
    """Read what each batch of a tenant has used that has not ended; to be called before the bills are read.

    A record may hold a thousand errors, so only its sums are kept.
    """
    today, unended = bill_day(services.now()), (each for each in services.batch_store.open_of(tenant) if not each.ended)
    return {batch.batch_id: Spent(_so_far(batch, today), batch.expected) for batch in unended}


def spent(services: Services, tenant: str, first: str, last: str, unended: Mapping[str, Spent]) -> Iterator[Spent]:
    """Yield the bills of a tenant from one day to another, and then what is `running`.

    A batch that ends in between has its bill by then, and counts once.
    """
    left = dict(unended)
    for bill in services.quota_store.bills(tenant, first, last):
        left.pop(bill.batch_id, None)
        yield Spent(bill, bill.assumed)
    yield from left.values()


def this_month(services: Services, tenant: str, unended: Mapping[str, Spent] | None = None) -> Month | None:
    """Sum up what counts against the budget of a tenant; None if the tenant has none.

    `unended` is what is `running`, if that is known.
    """
    budget = services.quota_store.budget(tenant)
    if budget is None:
        return None
    now = services.now()
    name, settled = month_of(bill_day(now)), bill_day(now - SETTLED_AFTER)
    first, last = f"{name}-01", f"{name}-31"
    unended = running(services, tenant) if unended is None else unended
    paid, expected = services.quota_store.paid_once(tenant, first, settled) if settled >= first else (0, 0)
    for each in spent(services, tenant, max(first, bill_day(now - SETTLED_AFTER + DAY)), last, unended):
        paid, expected = paid + each.bill.amount, expected + each.expected
    return Month(name, budget.amount, paid, expected)


def _so_far(batch: Batch, today: str) -> Bill:
    model, done = batch.model or SEVERAL, batch.counts.completed + batch.counts.failed
    used = {model: batch.usage} if batch.usage else {}
    provider = batch.providers[0] if len(batch.providers) == 1 else SEVERAL
    return Bill(
        day=today, batch_id=batch.batch_id, lines=done, usage=used, cost={model: batch.cost},
        providers={provider: Share(done, batch.usage or Usage(), batch.cost)},
    )  # fmt: skip


def why_refused(month: Month | None) -> BatchError | None:
    """Say why no new batch is taken: the month's budget is spent; None if it is not."""
    if month is None or month.spent < month.budget:
        return None
    spent = (
        f"${dollars(month.spent):,.2f} of the budget of ${dollars(month.budget):,.2f} for {month.name} (UTC) are spent"
    )
    counted = ", of which some at its estimate" if month.expected else ""
    return BatchError(CODE, f"{spent}{counted}. {REMEDY}, or send it again next month.")


def why_held(month: Month | None, wanted: int) -> BatchError | None:
    """Say why requests that are estimated at `wanted` are not sent; None if the budget has room for them."""
    if month is None or (month.spent + wanted <= month.budget and month.spent < month.budget):
        return None
    return HELD_BACK


def estimate(services: Services, batch: Batch, shard: Shard, lines: int, *, direct: bool = False) -> int:
    """Return what lines of a shard are estimated to cost, in parts of 1 / PER_DOLLAR dollars; 0 without a budget."""
    found = estimate_for(batch, shard) if batch.budgeted else None
    if found is None:
        return 0
    inputs, outputs = found["estimated_input_tokens"], found["estimated_output_tokens"]
    used, target = Usage(inputs, 0, outputs), (shard.model, shard.endpoint)
    prices, of_lines = services.account(shard.provider).prices, max(1, int(found["lines"]))
    whole = prices.cost(used, *target, batch=not direct)
    return whole.amount * lines // of_lines
