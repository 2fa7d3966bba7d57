"""What a tenant may spend in a month, as it is kept."""

import hashlib
from typing import Final, NamedTuple

import msgspec

MONTH_DIGITS: Final = 7  # of a day: 2026-11-30 is of 2026-11
BUDGET_WARNING: Final = "budget.warning"  # the event type, which OpenAI does not have
# Percent of a budget; when the month's spending reaches one of them, the tenant is warned.
WARNED_AT: Final = (50, 80, 100)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The record `BUDGET#<tenant>` / `BUDGET`: what a tenant may spend in a month of the calendar, in UTC."""

    tenant: str
    #: In parts of 1 / PER_DOLLAR dollars.
    amount: int
    #: Unix seconds.
    changed_at: int


class BudgetWarning(NamedTuple):
    """A warning: it is the same one however often it is told. A budget that was changed has warnings of its own."""

    tenant: str
    #: As 2026-11.
    month: str
    #: The amount of the budget, in parts of 1 / PER_DOLLAR dollars.
    budget: int
    percent: int

    @property
    def event_id(self) -> str:
        """Name the event, by which whoever is told twice knows it."""
        digest = hashlib.sha256("\0".join(map(str, self)).encode("utf-8", "surrogatepass"))
        return f"evt_{digest.hexdigest()[:32]}"


def month_of(day: str) -> str:
    """Name the month of a day, as 2026-11."""
    return day[:MONTH_DIGITS]
