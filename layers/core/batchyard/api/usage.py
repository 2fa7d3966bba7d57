"""What a tenant has used and paid, summed up by day, by model or by batch."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from batchyard.budgets.spending import running, spent, this_month
from batchyard.costs.bill import Bill
from batchyard.costs.cost import Cost
from batchyard.costs.usage import Usage
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import invalid_request
from batchyard.services import Services

DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
MOST_DAYS: Final = 366
# How a bill falls into groups: the name of each group, and what of the bill belongs to it, with its lines.
Parts = Iterator[tuple[str, int, Usage, Cost]]
GROUPS: Final[dict[str, Callable[[Bill], Parts]]] = {
    "day": lambda bill: iter([(bill.day, bill.lines, _used(bill), _paid(bill))]),
    "model": lambda bill: (
        (model, bill.lines_of(model), usage, bill.cost.get(model, Cost())) for model, usage in bill.usage.items()
    ),
    "provider": lambda bill: ((name, each.lines, each.usage, each.cost) for name, each in bill.providers.items()),
    "batch": lambda bill: iter([(bill.batch_id, bill.lines, _used(bill), _paid(bill))]),
}


class _Sum:
    def __init__(self) -> None:
        self.batches, self.lines, self.usage, self.cost = set[str](), 0, Usage(), Cost()

    def add(self, bill: Bill, lines: int, usage: Usage, cost: Cost) -> None:
        self.lines += lines
        self.batches.add(bill.batch_id)
        self.usage, self.cost = self.usage + usage, self.cost + cost

    def shape(self) -> dict[str, Any]:
        return {
            "batches": len(self.batches), "lines": self.lines, "usage": self.usage.shape(), "cost": self.cost.shape(),
        }  # fmt: skip


def usage(services: Services, tenant: str, first: str | None, last: str | None, group_by: str | None) -> dict[str, Any]:
    """Sum up a tenant's batches of the days from `first` to `last`, in UTC; raises ApiError 400.

    A batch counts on the day on which it began to end, and until it has ended, with what it has used so far, today.
    Without days it is this month.
    """
    today = datetime.fromtimestamp(services.now(), UTC).date()
    until = _day(last, "to") if last else today
    begin = _day(first, "from") if first else until.replace(day=1)
    if not timedelta() <= until - begin < timedelta(days=MOST_DAYS):
        message = f"`from` must not be after `to`, and at most {MOST_DAYS} days may lie between."
        raise invalid_request(BatchError("invalid_value", message, "from"))
    by = group_by or "day"
    if by not in GROUPS:
        message = f"group_by must be one of {', '.join(GROUPS)}, not '{by[:20]}'."
        raise invalid_request(BatchError("invalid_value", message, "group_by"))
    total, groups = _Sum(), dict[str, _Sum]()
    unended = running(services, tenant) if begin <= today <= until else None
    started = {name: each for name, each in (unended or {}).items() if each.bill.usage}
    for bill, _ in spent(services, tenant, begin.isoformat(), until.isoformat(), started):
        total.add(bill, bill.lines, _used(bill), _paid(bill))
        for name, lines, used, paid in GROUPS[by](bill):
            groups.setdefault(name, _Sum()).add(bill, lines, used, paid)
    data = [{by: name, **groups[name].shape()} for name in sorted(groups)]
    month = this_month(services, tenant, unended)
    return {"object": "usage", "from": begin.isoformat(), "to": until.isoformat(), "group_by": by, "data": data,
            "total": total.shape(), "budget": month.shape() if month else None}  # fmt: skip


def _used(bill: Bill) -> Usage:
    return sum(bill.usage.values(), Usage())


def _paid(bill: Bill) -> Cost:
    return sum(bill.cost.values(), Cost())


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text if re.fullmatch(DATE, text) else "")
    except ValueError as error:
        message = f"`{name}` must be a day as 2026-11-30, not '{text[:20]}'."
        raise invalid_request(BatchError("invalid_value", message, name)) from error
