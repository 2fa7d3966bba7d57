"""An empty upload that names a batch starts a retry of it, once; what it asks for wrongly fails the batch of the upload."""

from typing import Any

import pytest

from batchyard.api.batches import retrieve_batch, retry_batch
from batchyard.domain.errors import ApiError
from batchyard.planning.intake import intake
from tests.fakes.batches import BUCKET
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request, unrun
from tests.fakes.world import World, memory_world

IDS = ["r0", "r1", "r2", "r3"]
KEY = "inbox/default/again"


@pytest.fixture
def world() -> World:
    return memory_world(max_attempts=1)


def mixed(custom_id: str) -> bytes:
    return {"r1": bad("r1", 400), "r3": unrun("r3")}.get(custom_id, good(custom_id))


def parent(world: World) -> str:
    world.provider.endings = [answering(mixed, "expired")] * 9
    batch_id = world.drop(jsonl([request(each) for each in IDS]), metadata='{"run": "7"}')
    assert world.run(batch_id) == "done"
    world.provider.endings = []
    return batch_id


def ask(world: World, data: bytes = b"", key: str = KEY, /, **metadata: str) -> str:
    return world.drop(data, key, **{name.replace("_", "-"): value for name, value in metadata.items()})


def shown(world: World, batch_id: str) -> dict[str, Any]:
    return retrieve_batch(world.services, "default", batch_id)


def sent(world: World, since: int) -> list[str]:
    made = list(world.provider.batches.values())[since:]
    return sorted(each for batch in made for each in world.provider.custom_ids(batch))


@pytest.mark.parametrize(("lines", "again"), [({}, ["r1", "r3"]), ({"retry_lines": "cancelled"}, ["r3"])])
def test_an_empty_upload_that_names_a_batch_retries_it(world: World, lines: dict[str, str], again: list[str]) -> None:
    first, made = parent(world), len(world.provider.batches)
    child = ask(world, retry_of=first, **lines)
    assert world.run(child) == "done"
    assert sent(world, made) == again
    told = shown(world, child)
    assert (told["retry_of"], told["metadata"], told["input_file_id"]) == (
        first,
        {"run": "7"},
        f"s3://{BUCKET}/inbox/default/in.jsonl",
    )
    assert told["request_counts"]["completed"] == 2 + len(again)
    assert shown(world, first)["retried_by"] == child


def test_its_options_are_those_of_a_request(world: World) -> None:
    first, made = parent(world), len(world.provider.batches)
    asked = {"retry_body": '{"model": "n"}', "metadata": '{"run": "8"}', "completion_window": "48h", "dry_run": "true"}
    estimate = ask(world, retry_of=first, **asked)
    assert world.run(estimate) == "done"
    assert (shown(world, estimate)["dry_run"], len(world.provider.batches)) == (True, made)
    child = ask(world, b"", f"{KEY}/2", retry_of=first, **{**asked, "dry_run": "false"})
    assert world.run(child) == "done"
    told = shown(world, child)
    assert (told["model"], told["metadata"], told["completion_window"]) == ("n", {"run": "8"}, "48h")


def test_the_notice_of_an_upload_may_come_twice_and_late(world: World) -> None:
    first, made = parent(world), len(world.provider.batches)
    child = ask(world, retry_of=first)
    assert intake(world.services, BUCKET, KEY) == child
    assert world.run(child) == "done"
    assert intake(world.services, BUCKET, KEY) == child
    assert shown(world, child)["status"] == "completed"
    assert sent(world, made) == ["r1", "r3"]


def refused(world: World, batch_id: str) -> tuple[str, str | None, str]:
    told = shown(world, batch_id)
    assert told["status"] == "failed", told
    (error,) = told["errors"]["data"]
    return error["code"], error["param"], error["message"]


def test_a_batch_that_is_being_retried_is_not_retried_twice(world: World) -> None:
    first = parent(world)
    running = str(retry_batch(world.services, "default", first, {})["id"])
    code, param, message = refused(world, ask(world, retry_of=first))
    assert (code, param) == ("retry_running", "retry_of")
    assert running in message
    world.run(running)
    child = ask(world, b"", f"{KEY}/2", retry_of=running)
    assert refused(world, child)[0] == "nothing_to_retry"


def test_a_request_does_not_retry_what_an_upload_retries(world: World) -> None:
    first = parent(world)
    child = ask(world, retry_of=first)
    with pytest.raises(ApiError, match=child):
        retry_batch(world.services, "default", first, {})


@pytest.mark.parametrize(
    ("metadata", "code", "param", "said"),
    [
        ({"retry_lines": "some"}, "invalid_value", "retry_lines", "'errors', 'not_accepted', 'cancelled', 'all'"),
        ({"retry_body": "{"}, "invalid_type", "retry_body", "JSON"),
        ({"retry_body": "[]"}, "invalid_type", "retry_body", "merge patch"),
        ({"retry_body": '{"stream": true}'}, "streaming_unsupported", "retry_body.stream", "stream"),
        ({"on_invalid": "skip"}, "invalid_value", "on_invalid", "Leave it out"),
        ({"max_cost_usd": "much"}, "invalid_value", "max_cost_usd", "amount"),
        ({"retry_off": "x"}, "unknown_parameter", "retry-off", "Did you mean 'retry-of'?"),
        ({"retry_of": "batch_1"}, "not_found", "retry_of", "No batch found with id 'batch_1'"),
        ({"retry_of": "batch_" + "0" * 32}, "not_found", "retry_of", "No batch found"),
    ],
)
def test_what_cannot_be_followed_fails_the_batch_of_the_upload(
    world: World, metadata: dict[str, str], code: str, param: str, said: str
) -> None:
    first = parent(world)
    found = refused(world, ask(world, **{"retry_of": first, **metadata}))
    assert found[:2] == (code, param)
    assert said in found[2]
    assert "retried_by" not in shown(world, first)


def test_an_upload_with_bytes_is_no_retry(world: World) -> None:
    first, made = parent(world), len(world.provider.batches)
    code, param, message = refused(world, ask(world, jsonl([request("a")]), retry_of=first))
    assert (code, param) == ("invalid_value", "retry_of")
    assert "Upload an empty object" in message
    assert len(world.provider.batches) == made


def test_lines_without_a_batch_are_no_retry(world: World) -> None:
    assert refused(world, ask(world, jsonl([request("a")]), retry_lines="errors"))[1] == "retry_of"


def test_the_batch_of_another_tenant_is_not_there(world: World) -> None:
    first = parent(world)
    other = ask(world, b"", "inbox/other/again", retry_of=first)
    batch = world.services.batch_store.batch(other)
    assert (batch.tenant, batch.status, batch.errors[0].code) == ("other", "failed", "not_found")


def test_a_batch_that_runs_is_not_retried(world: World) -> None:
    first = world.drop(jsonl([request("a")]))
    assert "validating" in refused(world, ask(world, retry_of=first))[2]
