"""Each warning comes once a month and tenant, though steps are repeated and workers die."""

import json

import pytest

from batchyard.adapters.stores.quota_store import CLAIMED
from batchyard.budgets.spending import CODE
from batchyard.budgets.warnings import warn
from batchyard.domain.errors import StoreError
from tests.fakes.budgets import MONTH, bus, give, lines, month, spend, world_of
from tests.fakes.stores import MemoryQuotaStore
from tests.fakes.world import World


def quotas(world: World) -> MemoryQuotaStore:
    store = world.services.quota_store
    assert isinstance(store, MemoryQuotaStore)
    return store


def test_each_warning_comes_once_a_month_with_the_amounts() -> None:
    world = world_of(100)
    for dollars, told in ((49, []), (50, [50]), (79, [50]), (80, [50, 80]), (99, [50, 80]), (120, [50, 80, 100])):
        spend(world.services, dollars)
        for _ in range(2):
            warn(world.services, "default", month(world.services), f"step-{dollars}")
        assert bus(world).warned == told
    first = json.loads(bus(world).details[0])
    assert {name: first[name] for name in ("tenant", "month", "percent", "budget_usd", "spent_usd")} == {
        "tenant": "default", "month": MONTH, "percent": 50, "budget_usd": 100.0, "spent_usd": 50.0,
    }  # fmt: skip


def test_a_raised_budget_has_warnings_of_its_own() -> None:
    world = world_of(100)
    spend(world.services, 60)
    warn(world.services, "default", month(world.services), "one")
    give(world.services, 200)
    warn(world.services, "default", month(world.services), "two")
    assert bus(world).warned == [50]
    spend(world.services, 170)
    warn(world.services, "default", month(world.services), "three")
    assert bus(world).warned == [50, 50, 80]
    assert len({json.loads(each)["id"] for each in bus(world).details}) == 3
    give(world.services, 100)
    warn(world.services, "default", month(world.services), "four")
    assert bus(world).warned == [50, 50, 80, 80, 100]


def test_requests_that_are_held_back_are_no_money_spent() -> None:
    world = world_of(5)
    batch_id = world.drop(lines(10))
    assert world.run(batch_id) == "failed"
    assert [error.code for error in world.services.batch_store.batch(batch_id).errors] == [CODE]
    assert bus(world).warned == []


def test_a_warning_that_was_not_told_is_told_by_the_step_s_next_try_and_by_others_later() -> None:
    world = world_of(100)
    spend(world.services, 50)

    def die(*_: object) -> None:
        raise StoreError("the bus")

    object.__setattr__(bus(world), "warn", die)
    with pytest.raises(StoreError):
        warn(world.services, "default", month(world.services), "one")
    del bus(world).__dict__["warn"]
    warn(world.services, "default", month(world.services), "other")  # the first one may be telling it at this moment
    assert bus(world).warned == []
    warn(world.services, "default", month(world.services), "one")
    assert bus(world).warned == [50]
    spend(world.services, 80)
    object.__setattr__(bus(world), "warn", die)
    with pytest.raises(StoreError):
        warn(world.services, "default", month(world.services), "one")
    del bus(world).__dict__["warn"]
    world.clock.now += CLAIMED
    warn(world.services, "default", month(world.services), "other")
    assert bus(world).warned == [50, 80]


def test_a_warning_has_one_id_however_often_it_is_told() -> None:
    world = world_of(100)
    spend(world.services, 50)
    warn(world.services, "default", month(world.services), "one")
    (known,) = quotas(world).warnings.values()
    del known["told_at"]  # the step died after it had told
    world.clock.now += 1_000
    warn(world.services, "default", month(world.services), "one")
    one, other = map(json.loads, bus(world).details)
    assert one == other
