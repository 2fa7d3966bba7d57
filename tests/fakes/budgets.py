"""Tenants with a monthly budget, in a world of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batchyard.budgets.spending import Month, this_month
from batchyard.costs.bill import Bill
from batchyard.costs.budget import Budget
from batchyard.costs.cost import PER_DOLLAR, Cost
from tests.fakes.batches import NOW
from tests.fakes.lines import jsonl, request
from tests.fakes.services import MemoryEventBus
from tests.fakes.world import World, memory_world

if TYPE_CHECKING:
    from batchyard.services import Services

# A token of an answer costs one dollar. A request allows two tokens, and the provider reports two: two dollars a line.
PRICES: Final = '{"dear": {"input": 0, "output": 1000000}}'
MONTH: Final = "2026-09"  # of the clock of the tests


def lines(count: int, model: str = "dear") -> bytes:
    return jsonl([request(f"r{at}", model=model, max_tokens=2) for at in range(count)])


def world_of(dollars: int | None, **settings: str | int) -> World:
    """Make a world of memory whose tenant has this budget."""
    world = memory_world(price_list=PRICES, **settings)
    if dollars is not None:
        give(world.services, dollars)
    return world


def give(services: Services, dollars: int) -> None:
    services.quota_store.set_budget(Budget(tenant="default", amount=dollars * PER_DOLLAR, changed_at=NOW))


def set_to(services: Services, amount: int) -> None:
    """Give the tenant a budget of exactly so many parts of a dollar."""
    services.quota_store.set_budget(Budget(tenant="default", amount=amount, changed_at=NOW))


def spend(services: Services, dollars: int, day: str = f"{MONTH}-20", name: str = "earlier") -> None:
    """Let a batch have cost so much."""
    bill = Bill(day=day, batch_id=name, lines=1, usage={}, cost={"m": Cost(output=dollars * PER_DOLLAR)})
    services.quota_store.keep_bill("default", bill, 2**31)


def month(services: Services) -> Month:
    found = this_month(services, "default")
    assert found is not None
    return found


def bus(world: World) -> MemoryEventBus:
    found = world.services.event_bus
    assert isinstance(found, MemoryEventBus)
    return found
