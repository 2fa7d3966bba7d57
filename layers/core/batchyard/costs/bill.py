"""The bill of one batch, as it is kept to be summed up."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from batchyard.costs.cost import Cost
from batchyard.costs.usage import Usage

SHOWN_NAME: Final = 100  # characters of a model's name, in a bill and in an estimate


class Share(msgspec.Struct, frozen=True):
    """What one provider had of a batch."""

    lines: int = 0
    usage: Usage = Usage()
    cost: Cost = Cost()


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """The record `USAGE#<tenant>` / `<day>#<batch id>`: what a batch used, and what that cost."""

    #: The day on which the batch began to end, in UTC, as 2026-11-30.
    day: str
    batch_id: str
    lines: int
    #: What each model used and cost.
    usage: dict[str, Usage]
    cost: dict[str, Cost]
    #: What answers that tell no tokens were estimated at, in parts of 1 / PER_DOLLAR dollars: a budget counts it, too.
    assumed: int = 0
    #: The lines with an outcome that were for each model; empty for a batch of one model that has not ended.
    model_lines: dict[str, int] = {}
    #: The share of each provider, by its name.
    providers: dict[str, Share] = {}

    def lines_of(self, model: str) -> int:
        """Return how many lines were for a model; all of them where the bill names one model alone."""
        return self.model_lines.get(model, self.lines if len(self.usage) == 1 else 0)

    @property
    def amount(self) -> int:
        """Return what the batch cost, in parts of 1 / PER_DOLLAR dollars."""
        return sum(each.amount for each in self.cost.values())


def bill_day(at: int) -> str:
    """Name the day of a time in Unix seconds."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
