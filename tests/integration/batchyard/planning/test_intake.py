"""One upload, one batch, however often and in whatever way we hear of it."""

import boto3
import pytest

from batchyard.domain import statuses
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


@pytest.mark.parametrize(
    "key", ["inbox/default/", "files/default/x.jsonl", "results/x", "inbox/default/never-was.jsonl"]
)
def test_what_is_no_input_is_left_alone(world: World, key: str) -> None:
    assert intake(world.services, BUCKET, key) is None
    assert executions() == []


def test_another_bucket_is_left_alone(world: World) -> None:
    assert intake(world.services, "another", "inbox/default/in.jsonl") is None


@pytest.mark.parametrize(
    "name", ["a b.jsonl", "a+b.jsonl", "100%.jsonl", "a%2Bb.jsonl", "Ünïcødé-名前-🚂.jsonl", "..x"]
)
def test_any_key_works(world: World, name: str) -> None:
    batch_id = world.drop(ONE, f"inbox/default/{name}")
    assert world.run(batch_id) == "done"


def test_user_metadata_sets_metadata_and_window(world: World) -> None:
    batch_id = world.drop(ONE, **{"metadata": '{"run": "7"}', "completion-window": "7d"})
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.metadata, batch.completion_window) == ({"run": "7"}, "7d")
    assert batch.expires_at - batch.created_at == 7 * 86_400


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"metadata": "not json"}, "metadata"),
        ({"metadata": "[1]"}, "metadata"),
        ({"metadata": '{"a": 1}'}, "metadata.a"),
        ({"completion-window": "soon"}, "completion_window"),
    ],
)
def test_bad_user_metadata_refuses_the_batch_and_says_why(world: World, given: dict[str, str], param: str) -> None:
    batch = world.services.batch_store.batch(world.drop(ONE, **given))
    assert (batch.status, batch.errors[0].param) == (statuses.FAILED, param)
    assert executions() == []
