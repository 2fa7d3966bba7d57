"""Budgets on real adapters: what their records hold, under the permissions of each function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from msgspec.structs import replace

from batchyard.adapters import aws
from batchyard.adapters.stores.quota_store import CLAIMED, QuotaStore
from batchyard.api import batches
from batchyard.api import usage as usage_api
from batchyard.budgets.spending import CODE
from batchyard.costs.bill import bill_day
from batchyard.costs.budget import Budget, BudgetWarning
from batchyard.costs.cost import PER_DOLLAR
from batchyard.domain.errors import ApiError
from batchyard.domain.step import Next, Step
from batchyard.planning.new_batch import batch_id_of
from batchyard.recovery.sweep import sweep
from batchyard.results.assemble import assemble
from batchyard.shards.fail import fail_batch
from tests.fakes.batches import BUCKET, NOW
from tests.fakes.budgets import PRICES, give, lines, month, spend
from tests.fakes.moto import TABLE

if TYPE_CHECKING:
    from tests.fakes.world import World

WARNING = BudgetWarning("default", "2026-09", 40 * PER_DOLLAR, 80)


def given(world: World, dollars: int) -> QuotaStore:
    """Give the tenant a budget, in a world with a price."""
    world.services.settings = replace(world.services.settings, price_list=PRICES)
    vars(world.services).pop("accounts", None)  # they were made of other settings
    give(world.services, dollars)
    return world.services.quota_store


def test_a_budget_is_set_changed_listed_and_removed(world: World) -> None:
    store = given(world, 250)
    large = Budget(tenant="other", amount=999_999_999_999 * PER_DOLLAR + 1, changed_at=NOW)
    store.set_budget(large)
    store.set_budget(Budget(tenant="default", amount=PER_DOLLAR // 2, changed_at=NOW + 1))
    assert [(each.tenant, each.amount) for each in store.budgets()] == [
        ("default", PER_DOLLAR // 2),
        ("other", large.amount),
    ]
    store.remove_budget("default")
    assert store.budget("default") is None
    assert list(store.budgets()) == [large]


def test_a_warning_is_told_by_one_worker_at_a_time_and_once(world: World) -> None:
    store = world.services.quota_store
    assert store.claim_warning(WARNING, "one", NOW) == NOW
    assert store.claim_warning(WARNING, "other", NOW + CLAIMED - 1) is None
    assert store.claim_warning(WARNING, "one", NOW + 5) == NOW  # the step is tried again
    assert store.told_warnings("default", "2026-09", 40 * PER_DOLLAR) == set()
    assert store.claim_warning(WARNING, "other", NOW + 5 + CLAIMED) == NOW
    store.note_warning(WARNING, NOW, "other", NOW + 70)
    assert store.claim_warning(WARNING, "other", NOW + 900) is None
    assert store.told_warnings("default", "2026-09", 40 * PER_DOLLAR) == {80}
    assert store.told_warnings("default", "2026-10", 40 * PER_DOLLAR) == set()
    assert store.told_warnings("default", "2026-09", 4 * PER_DOLLAR) == set()


def test_a_batch_is_held_against_its_budget_from_submit_to_its_end(world: World) -> None:
    given(world, 40)
    spend(world.services, 5)
    batch_id = world.drop(lines(10))
    world.run_until_submitted(batch_id)
    found = month(world.services)
    assert (found.paid, found.expected) == (5 * PER_DOLLAR, 20 * PER_DOLLAR)
    assert world.services.quota_store.told_warnings("default", "2026-09", 40 * PER_DOLLAR) == set()
    world.run_shard(Step(batch_id, 0, Next.POLL))
    found = month(world.services)
    assert (found.paid, found.expected) == (25 * PER_DOLLAR, 0)
    held = world.drop(lines(10), "inbox/default/more.jsonl")
    assert assemble(world.services, batch_id) == "done"
    assert world.services.quota_store.told_warnings("default", "2026-09", 40 * PER_DOLLAR) == {50}
    assert usage_api.usage(world.services, "default", None, None, None)["budget"]["spent_usd"] == 25.0
    spend(world.services, 12)
    assert world.run(held) == "failed"
    assert [error.code for error in world.services.batch_store.batch(held).errors] == [CODE]
    # The rest of the money is still there, though requests were held back.
    assert world.services.quota_store.told_warnings("default", "2026-09", 40 * PER_DOLLAR) == {50, 80}


def test_a_spent_budget_refuses_uploads_and_calls(world: World) -> None:
    given(world, 5)
    world.drop(lines(1), "inbox/default/early.jsonl")
    spend(world.services, 5)
    batch_id = world.drop(lines(1))
    assert world.services.batch_store.batch(batch_id).status == "failed"
    wanted = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    world.backing.put("inbox/default/unseen.jsonl", lines(1), {})
    named = f"s3://{BUCKET}/inbox/default/unseen.jsonl"
    with pytest.raises(ApiError) as refused:
        batches.create_batch(world.services, "default", {**wanted, "input_file_id": named})
    assert refused.value.status == 402


def test_the_sweep_refuses_an_upload_whose_event_was_missed(world: World) -> None:
    given(world, 5)
    world.drop(lines(1))
    world.backing.put("inbox/default/missed.jsonl", lines(1), {})
    found = world.services.bucket.head("inbox/default/missed.jsonl")[0]
    uploaded = boto3.client("s3").head_object(Bucket=BUCKET, Key="inbox/default/missed.jsonl")["LastModified"]
    world.clock.now = uploaded.timestamp() + 60
    spend(world.services, 5, day=bill_day(int(world.clock.now)))
    sweep(world.services)
    (error,) = world.services.batch_store.batch(batch_id_of(found)).errors
    assert error.code == CODE


def test_the_sweep_bills_what_was_paid_and_came_to_nothing(world: World) -> None:
    given(world, 20)
    batch_id = world.drop(lines(10))
    world.run_until_submitted(batch_id)
    world.run_shard(Step(batch_id, 0, Next.POLL))
    fail_batch(world.services, batch_id, {"Error": "Died"})
    world.clock.now += 5 * 86_400
    sweep(world.services)
    assert world.services.batch_store.batch(batch_id).status == "failed"
    assert month(world.services).spent == 20 * PER_DOLLAR


def test_a_budget_costs_a_create_one_write_more_and_no_budget_costs_none(world: World) -> None:
    writes = list[str]()
    counted = ("PutItem", "UpdateItem", "TransactWriteItems")

    def count(params: dict[str, object], model: object, **_: object) -> None:
        name = getattr(model, "name", "")
        if name in counted and TABLE in str(params):
            writes.extend([name] * len(params.get("TransactItems", [0])))  # type: ignore[arg-type]

    aws.client("dynamodb").meta.events.register("provide-client-params.dynamodb", count)
    found = {}
    for budget in (-1, 0, 1_000):  # the first one learns how much the provider takes
        if budget > 0:
            given(world, budget)
        batch_id = world.drop(lines(10), f"inbox/default/{budget}.jsonl")
        writes.clear()
        world.run_until_submitted(batch_id)
        submitted = len(writes)
        world.run_shard(Step(batch_id, 0, Next.POLL))
        found[budget] = submitted, len(writes) - submitted
    assert (found[1_000][0] - found[0][0], found[1_000][1] - found[0][1]) == (1, 0)
