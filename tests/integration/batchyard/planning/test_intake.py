"""An upload on real S3 and Step Functions: versions, keys of any kind, and names that start once."""

import boto3
import pytest

from batchyard.planning.intake import intake
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.moto import MACHINE
from tests.fakes.world import World

ONE = jsonl([request("a")])


def executions() -> list[str]:
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=MACHINE)["executions"]
    return [each["name"] for each in listed]


def test_an_event_heard_twice_makes_one_batch_and_one_execution(world: World) -> None:
    first = world.drop(ONE)
    assert intake(world.services, BUCKET, "inbox/default/in.jsonl") == first
    assert executions() == [first]


def test_the_next_upload_of_the_same_key_is_another_batch(world: World) -> None:
    assert world.drop(ONE) != world.drop(ONE)


def test_an_execution_that_was_never_started_is_started_by_the_next_event(world: World) -> None:
    batch_id = world.drop(ONE)
    start = world.services.executions.start
    world.services.executions.start = lambda name, payload: not (name or payload)  # type: ignore[method-assign]  # died
    late = world.drop(ONE, "inbox/default/late.jsonl")
    world.services.executions.start = start  # type: ignore[method-assign]
    assert executions() == [batch_id]
    assert intake(world.services, BUCKET, "inbox/default/late.jsonl") == late
    assert set(executions()) == {batch_id, late}


@pytest.mark.parametrize("name", ["a b+c%2B100%.jsonl", "Ünïcødé-名前-🚂.jsonl", "..x"])
def test_any_key_works(world: World, name: str) -> None:
    batch_id = world.drop(ONE, f"inbox/default/{name}")
    assert world.run(batch_id) == "done"


def test_an_upload_that_is_gone_makes_nothing_though_s3_only_says_that_it_may_not_be_read(world: World) -> None:
    assert intake(world.services, BUCKET, "inbox/default/never-was.jsonl") is None
    assert executions() == []
