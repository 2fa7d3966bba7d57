"""What counts against a budget: ended batches, running ones, and what stands at the provider."""

import msgspec

from batchyard.budgets.spending import estimate
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
