"""The bill of one batch, as it is kept to be summed up."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from batchyard.costs.cost import Cost
from batchyard.costs.usage import Usage

SHOWN_NAME: Final = 100  # characters of a model's name, in a bill and in an estimate


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """The record `USAGE#<tenant>` / `<day>#<batch id>`: what a batch used, and what that cost."""

    #: The day on which the batch began to end, in UTC, as 2026-11-30.
    day: str
    batch_id: str
    lines: int
    #: What each model used and cost.
    usage: dict[str, Usage]
    cost: dict[str, Cost]
    #: What was used and paid at each provider, by its name.
    provider_usage: dict[str, Usage] = {}
    provider_cost: dict[str, Cost] = {}

    @property
    def amount(self) -> int:
        """Return what the batch cost, in parts of 1 / PER_DOLLAR dollars."""
        return sum(each.amount for each in self.cost.values())


def bill_day(at: int) -> str:
    """Name the day of a time in Unix seconds."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
