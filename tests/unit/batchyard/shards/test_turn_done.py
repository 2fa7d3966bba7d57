"""The bus is told once of a shard that is done, with the places of its answers; again only if we ended in between."""

import json

import pytest

from batchyard.domain.errors import StoreError
from batchyard.domain.shard import with_members
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.recovery.advance import advance
from batchyard.shards.fail import fail_shard
from batchyard.shards.submit import submit
from batchyard.shards.turn import open_shard
from tests.fakes.batches import BUCKET
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request, unrun
from tests.fakes.services import MemoryEventBus, MemoryLambdaFunction
from tests.fakes.world import World, memory_world

IDS = [f"r{at}" for at in range(6)]


@pytest.fixture
def world() -> World:
    return memory_world(max_attempts=2, max_requests_per_shard=4)


def mixed(custom_id: str) -> bytes:
    return {"r1": bad("r1", 400), "r2": unrun("r2")}.get(custom_id, good(custom_id))


def started(world: World) -> str:
    world.provider.endings = [answering(mixed, "expired")]
    batch_id = world.drop(jsonl([request(each) for each in IDS]))
    plan(world.services, batch_id)
    return batch_id


def told(world: World) -> MemoryEventBus:
    bus = world.services.event_bus
    assert isinstance(bus, MemoryEventBus)
    return bus


def test_the_event_names_every_answer_of_the_shard(world: World) -> None:
    batch_id = started(world)
    world.run_shard(Step(batch_id, 0))
    (event,) = told(world).shards
    first, second = event["results"]
    place = f"s3://{BUCKET}/work/{batch_id}/shards/00000/attempt-000"
    assert (first["attempt"], second["attempt"], event["results_total"]) == (1, 2, 2)
    assert [first["output.jsonl"].startswith(f"{place}1"), second["errors.jsonl"]] == [True, None]
    lines = [
        json.loads(line)["custom_id"]
        for run in event["results"]
        for key in (run["output.jsonl"], run["errors.jsonl"])
        if key
        for line in world.read(key.removeprefix(f"s3://{BUCKET}/")).splitlines()
    ]
    assert sorted(lines) == IDS[:4]
    assert {name: event[name] for name in ("batch_id", "tenant", "shard", "shards", "lines", "completed", "failed")} == {
        "batch_id": batch_id, "tenant": "default", "shard": 0, "shards": 2, "lines": 4, "completed": 3, "failed": 1,
    }  # fmt: skip


def test_a_step_that_comes_again_tells_nothing_more(world: World) -> None:
    batch_id = started(world)
    world.run(batch_id)
    assert [event["shard"] for event in told(world).shards] == [0, 1]
    submit(world.services, Step(batch_id, 0))
    advance(world.services, batch_id, 0)
    fail_shard(world.services, batch_id, 0, {})
    assert len(told(world).shards) == 2


def test_a_shard_that_is_given_up_is_told_of(world: World) -> None:
    batch_id = started(world)
    fail_shard(world.services, batch_id, 1, {"Error": "x"})
    (event,) = told(world).shards
    assert (event["unfinished"], event["reason"]["code"], event["results"]) == (2, "server_error", [])


def test_an_event_that_the_bus_did_not_take_is_told_by_the_next_step(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = started(world)

    def refuses(*_: object) -> None:
        raise StoreError("no")

    with monkeypatch.context() as patched:
        patched.setattr(MemoryEventBus, "announce_shard", refuses)
        with pytest.raises(StoreError):
            world.run_shard(Step(batch_id, 0))
    assert told(world).shards == []
    world.run_shard(Step(batch_id, 0))
    assert len(told(world).shards) == 1


@pytest.mark.parametrize("effect", ["announce_shard", "announce"])
def test_the_provider_batches_of_a_shard_that_failed_are_cancelled_though_the_bus_is_down(
    world: World, monkeypatch: pytest.MonkeyPatch, effect: str
) -> None:
    batch_id = started(world)

    def refuses(*_: object) -> None:
        raise StoreError("no")

    if effect == "announce":  # a shard that waits is told of when it waits no more
        shard = open_shard(world.services, world.services.batch_store.batch(batch_id), 1)
        world.services.batch_store.save_shard(shard, with_members(shard, paused="no money"))
        world.services.batch_store.change_batch(batch_id, told_paused=True)
    monkeypatch.setattr(told(world), effect, refuses)
    with pytest.raises(StoreError):
        fail_shard(world.services, batch_id, 1, {"Error": "x"})
    function = world.services.cancel_function
    assert isinstance(function, MemoryLambdaFunction)
    assert function.invoked == [{"batch_id": batch_id}]
    monkeypatch.undo()
    fail_shard(world.services, batch_id, 1, {"Error": "x"})  # Lambda repeats it, and what was not told is told
    assert [event["shard"] for event in told(world).shards] == [1]
    assert (told(world).announced[-1] == "resumed") is (effect == "announce")
