"""What a provider says and DynamoDB could not hold as it is, and what only the table itself can tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batch_client import QuotaError
from batchyard.plan import plan
from batchyard.shard import Step
from batchyard.submit import submit
from tests.integration.batchyard.world import answering, bad, good, jsonl, request

if TYPE_CHECKING:
    from tests.integration.batchyard.world import World

TEN = [f"r{at}" for at in range(10)]
LONG = "1" * 60  # digits; a number of DynamoDB has 38


def report(world: World, batch_id: str) -> Any:
    return json.loads(world.result(batch_id, "report.json"))


def test_error_codes_no_store_could_hold_are_held(world: World) -> None:
    codes = iter(range(1_000))
    world.provider.endings = [answering(lambda each: bad(each, 400, "\ud800" * 300 + str(next(codes))))]
    batch_id = world.drop(jsonl([request(each) for each in TEN]))
    assert world.run(batch_id) == "done"
    assert sum(report(world, batch_id)["errors"]["by_code"].values()) == 10


def test_a_count_of_tokens_no_store_could_hold_spoils_no_answer(world: World) -> None:
    world.provider.endings = [
        answering(lambda each: good(each).replace(b'"total_tokens": 5', b'"total_tokens": ' + LONG.encode()))
    ]
    batch_id = world.drop(jsonl([request(each) for each in TEN]))
    assert world.run(batch_id) == "done"
    assert world.yard.records.batch(batch_id).counts.completed == 10
    assert LONG.encode() in world.result(batch_id, "output.jsonl")


def test_a_batch_is_paused_in_the_table_until_none_of_its_shards_waits(world: World) -> None:
    batch_id = world.drop(jsonl([request(each, model="a" if each < "r5" else "b") for each in TEN]))
    plan(world.yard, batch_id)
    for number in (0, 1):
        world.provider.before = [QuotaError("You exceeded your quota", status=429, code="insufficient_quota")]
        submit(world.yard, Step(batch_id, number))
    seen = []
    for number in (0, 1):
        submit(world.yard, Step(batch_id, number))
        batch = world.yard.records.batch(batch_id)
        seen.append((bool(batch.paused), batch.told_paused, batch.status))
    assert seen == [(True, True, "in_progress"), (False, False, "in_progress")]
    assert world.run(batch_id) == "done"
    assert len(world.answered(batch_id, "output.jsonl")) == 10
