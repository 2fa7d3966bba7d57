"""What counts against a budget: ended batches, running ones, and what stands at the provider."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from batchyard.budgets.spending import estimate
from batchyard.costs.bill import Bill
from batchyard.costs.cost import PER_DOLLAR
from batchyard.domain.step import Next, Step
from tests.fakes.budgets import give, lines, month, spend, world_of
from tests.fakes.world import memory_world


def test_what_stands_at_the_provider_counts_at_its_estimate_until_it_has_ended() -> None:
    world = world_of(100)
    batch_id = world.drop(lines(10))
    world.run_until_submitted(batch_id)
    assert (month(world.services).paid, month(world.services).expected) == (0, 20 * PER_DOLLAR)
    world.run_shard(Step(batch_id, 0, Next.POLL))
    assert (month(world.services).paid, month(world.services).expected) == (20 * PER_DOLLAR, 0)


def test_the_next_month_begins_with_nothing_spent() -> None:
    world = world_of(20)
    spend(world.services, 20, day="2026-08-31")
    assert month(world.services).spent == 0
    assert world.services.batch_store.batch(world.drop(lines(1))).status == "validating"


@pytest.mark.parametrize("today", range(1, 31))
def test_every_day_of_the_month_counts_once(today: int) -> None:
    world = world_of(100)
    world.clock.now = datetime(2026, 9, today, 12, tzinfo=UTC).timestamp()
    for day in range(1, today + 1):
        spend(world.services, 1, day=f"2026-09-{day:02}", name=f"batch-{day}")
    assert [month(world.services).spent for _ in range(2)] == [today * PER_DOLLAR] * 2


def test_days_that_are_long_over_are_read_once() -> None:
    world = world_of(100)
    spend(world.services, 3, day="2026-09-02")
    assert month(world.services).spent == 3 * PER_DOLLAR
    asked, read = list[str](), world.services.quota_store.bills

    def bills(tenant: str, first: str, last: str) -> Iterator[Bill]:
        asked.append(first)
        return read(tenant, first, last)

    object.__setattr__(world.services.quota_store, "bills", bills)
    assert month(world.services).spent == 3 * PER_DOLLAR
    assert asked == ["2026-09-17"]  # today is the 21st


def test_a_batch_that_ends_meanwhile_counts_once() -> None:
    world = world_of(100)
    batch_id = world.drop(lines(10))
    world.run_until_submitted(batch_id)
    world.run_shard(Step(batch_id, 0, Next.POLL))
    spend(world.services, 20, name=batch_id)  # its bill is kept before its status is
    assert month(world.services).spent == 20 * PER_DOLLAR


def test_a_direct_attempt_is_estimated_at_the_full_price() -> None:
    world = memory_world(provider_base_url="https://api.openai.com/v1")
    give(world.services, 1_000)
    batch_id = world.drop(lines(10, model="gpt-4.1-mini"))
    world.run_until_submitted(batch_id)
    batch, (shard,) = world.services.batch_store.batch(batch_id), world.services.batch_store.shards(batch_id)
    half, full = (estimate(world.services, batch, shard, 10, direct=direct) for direct in (False, True))
    assert 0 < half * 2 == full
    assert shard.attempts[-1].estimate == half
    assert estimate(world.services, batch, shard, 5) == half // 2
    assert msgspec.structs.replace(batch, budgeted=False).estimated is False
