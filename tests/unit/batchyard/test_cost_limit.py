"""A batch with max_cost_usd sends nothing more once that would cost more; what is paid is kept."""

import json

import msgspec
import pytest

from batchyard.domain.stopping import MAX_COST, cost_limit_reached
from tests.fakes.endings import answering
from tests.fakes.lines import good, jsonl, request
from tests.fakes.world import World, memory_world

# A token of an answer costs one dollar. A request allows one token, and the provider reports two: the estimate is too low.
PRICES = '{"dear": {"input": 0, "output": 1000000}}'
LINES = [request(f"r{at}", model="dear", max_tokens=1) for at in range(10)]
HALF = {f"r{at}" for at in range(5)}


def half(custom_id: str) -> bytes | None:
    return good(custom_id) if custom_id in HALF else None


def ran(most: str) -> tuple[World, str]:
    world = memory_world(price_list=PRICES)
    world.provider.endings = [answering(half, "expired")]
    batch_id = world.drop(jsonl(LINES), **{"max-cost-usd": most})
    assert world.run(batch_id) == "done"
    return world, batch_id


def test_what_would_go_above_the_limit_is_not_sent_and_what_is_paid_is_kept() -> None:
    world, batch_id = ran("14")  # ten are paid, and five would come
    assert len(world.provider.batches) == 1
    report = json.loads(world.result(batch_id, "report.json"))
    assert (report["status"], report["cost"]["usd"], report["cost"]["estimate_usd"]) == ("completed", 10.0, 10.0)
    assert report["errors"]["by_code"] == {"max_cost_reached": 5}
    assert report["output"]["lines"] == 5
    assert all(MAX_COST.message in line for line in world.result(batch_id, "errors.jsonl").decode().splitlines())


def test_what_stays_within_the_limit_is_sent() -> None:
    world, batch_id = ran("15")
    assert len(world.provider.batches) == 2
    assert json.loads(world.result(batch_id, "report.json"))["output"]["lines"] == 10


def test_what_stands_at_the_provider_counts_at_its_estimate() -> None:
    world, batch_id = ran("15")
    batch, (shard,) = world.services.batch_store.batch(batch_id), world.services.batch_store.shards(batch_id)
    under_way = msgspec.structs.replace(shard.attempts[0], ended_at=None, creating_at=1, usage=None, cost=None)
    other = msgspec.structs.replace(shard, shard=1, attempts=[under_way], status="waiting")
    new = msgspec.structs.replace(shard, shard=2, attempts=[], unfinished=5, status="waiting")
    assert cost_limit_reached(batch, [other], new) is None
    assert cost_limit_reached(batch, [other], msgspec.structs.replace(new, unfinished=6)) is MAX_COST
    assert cost_limit_reached(msgspec.structs.replace(batch, max_cost_usd=None), [other] * 9, new) is None


@pytest.mark.parametrize("most", ["10", "10.00001"])
def test_the_first_try_fits_an_estimate_that_fitted(most: str) -> None:
    world, _ = ran(most)
    assert len(world.provider.batches) == 1


def test_an_estimate_is_that_of_the_model_itself_and_not_of_one_whose_name_begins_alike() -> None:
    world, batch_id = ran("15")
    batch, (shard,) = world.services.batch_store.batch(batch_id), world.services.batch_store.shards(batch_id)
    found = json.loads(batch.preflight or "")
    longer = {**found["models"][0], "model": "dear-but-one", "estimated_usd": 0.001}
    both = msgspec.structs.replace(batch, preflight=json.dumps({**found, "models": [*found["models"], longer]}))
    new = msgspec.structs.replace(shard, model="dear-but-one", attempts=[], unfinished=16, status="waiting")
    assert cost_limit_reached(both, [], new) is None
