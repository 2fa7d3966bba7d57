"""Batches of the API on real records: conditions, indexes, and what a batch needs of S3."""

from typing import Any

import boto3
import msgspec
import pytest

from batchyard.api import batches, files
from batchyard.domain.errors import ApiError
from batchyard.domain.step import Step
from batchyard.planning.intake import intake
from batchyard.planning.plan import plan
from batchyard.shards.cancel import cancel
from batchyard.shards.submit import submit
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World

TWO = jsonl([request("a"), request("b")])


def put(key: str = "files/default/in.jsonl", data: bytes = TWO) -> str:
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data)
    return f"s3://{BUCKET}/{key}"


def body(**changes: Any) -> dict[str, Any]:
    return {"input_file_id": put(), "endpoint": "/v1/chat/completions", "completion_window": "24h", **changes}


def test_a_batch_is_created_run_and_shown(world: World) -> None:
    made = batches.create_batch(world.services, "default", body(metadata={"run": "7"}))
    assert (made["status"], made["metadata"], made["object"]) == ("validating", {"run": "7"}, "batch")
    assert world.run(made["id"]) == "done"
    shown = batches.retrieve_batch(world.services, "default", made["id"])
    assert (shown["status"], shown["request_counts"]) == ("completed", {"total": 2, "completed": 2, "failed": 0})
    assert files.file_content(world.services, "default", shown["output_file_id"]).data == world.result(
        made["id"], "output.jsonl"
    )
    assert shown["error_file_id"] is None


def test_a_batch_for_any_urls_runs_each_line_at_its_own(world: World) -> None:
    mixed = jsonl([request("a"), request("b", url="/v1/responses"), request("c", url="/v1/embeddings")])
    source = put("files/default/mixed.jsonl", mixed)
    refused = batches.create_batch(world.services, "default", body(input_file_id=source))
    assert world.run(refused["id"]) == "refused"
    made = batches.create_batch(world.services, "default", body(input_file_id=source, endpoint="*"))
    assert world.run(made["id"]) == "done"
    shown = batches.retrieve_batch(world.services, "default", made["id"])
    assert (shown["status"], shown["request_counts"]) == ("completed", {"total": 3, "completed": 3, "failed": 0})
    assert shown["endpoint"] == "/v1/chat/completions", "that of the first line"


@pytest.mark.parametrize("ran", [False, True])
def test_a_batch_for_any_urls_takes_over_that_of_the_upload_before_and_after_it_ran(world: World, *, ran: bool) -> None:
    source = put("inbox/default/in.jsonl", jsonl([request("a", url="/v1/responses")]))
    dropped = intake(world.services, BUCKET, "inbox/default/in.jsonl", None)
    assert dropped is not None
    if ran:
        world.run(dropped)
    made = batches.create_batch(world.services, "default", body(input_file_id=source, endpoint="*"))
    assert made["id"] == dropped
    again = batches.create_batch(world.services, "default", body(input_file_id=source, endpoint="*"))
    assert again["id"] != dropped, "another request is another batch"


def test_counts_rise_while_it_runs(world: World) -> None:
    made = batches.create_batch(world.services, "default", body())
    plan(world.services, made["id"])
    assert batches.retrieve_batch(world.services, "default", made["id"])["request_counts"]["total"] == 2


def test_the_same_idempotency_key_gives_the_same_batch(world: World) -> None:
    wanted = body()
    first = batches.create_batch(world.services, "default", wanted, "key-1")
    assert batches.create_batch(world.services, "default", dict(reversed(wanted.items())), "key-1")["id"] == first["id"]
    assert batches.create_batch(world.services, "default", wanted, "key-2")["id"] != first["id"]
    put("files/other/in.jsonl")
    theirs = {**wanted, "input_file_id": f"s3://{BUCKET}/files/other/in.jsonl"}
    assert batches.create_batch(world.services, "other", theirs, "key-1")["id"] != first["id"]


def test_batches_are_listed_newest_first_in_pages(world: World) -> None:
    made = []
    for _ in range(7):
        world.clock.now += 0.4  # several in one second, too
        made.append(batches.create_batch(world.services, "default", body())["id"])
    seen: list[str] = []
    page: dict[str, Any] = {"has_more": True, "last_id": None}
    while page["has_more"]:
        page = batches.list_batches(world.services, "default", page["last_id"], "2")
        seen += [each["id"] for each in page["data"]]
    assert seen == made[::-1]
    assert batches.list_batches(world.services, "other", None, None)["data"] == []


def test_a_running_batch_is_cancelled_at_the_provider(world: World) -> None:
    made = batches.create_batch(world.services, "default", body())["id"]
    plan(world.services, made)
    step = submit(world.services, Step(made, 0))
    batches.cancel_batch(world.services, "default", made)
    assert world.invoked == [{"batch_id": made}]
    assert cancel(world.services, made) == 1
    world.run_shard(step)
    assert world.run(made) == "done"
    assert world.services.batch_store.batch(made).status == "cancelled"


def test_the_shards_of_a_batch_are_asked_once_a_minute_and_never_after_its_end(world: World) -> None:
    store, made = world.services.batch_store, batches.create_batch(world.services, "default", body())["id"]
    assert [store.ask_shards(made, now, 60) for now in (1_000, 1_000, 1_059, 1_060, 1_061)] == [
        True, False, False, True, False,
    ]  # fmt: skip
    assert world.run(made) == "done"
    assert not store.ask_shards(made, 9_000, 60)
    assert not store.ask_shards("batch_that_is_not_there", 9_000, 60)


def test_with_an_idempotency_key_too_an_upload_s_batch_belongs_to_one_caller(world: World) -> None:
    dropped = world.drop(TWO)
    wanted = body(input_file_id=f"s3://{BUCKET}/inbox/default/in.jsonl", metadata={"run": "7"})
    first = batches.create_batch(world.services, "default", wanted, "key-1")
    assert (first["id"], first["metadata"]) == (dropped, {"run": "7"})
    assert batches.create_batch(world.services, "default", wanted, "key-1")["id"] == dropped
    second = batches.create_batch(world.services, "default", wanted, "key-2")
    assert second["id"] != dropped
    assert batches.create_batch(world.services, "default", wanted, "key-2")["id"] == second["id"]
    assert batches.create_batch(world.services, "default", wanted)["id"] not in {dropped, second["id"]}


def test_a_record_whose_answer_was_lost_is_not_written_twice(world: World) -> None:
    create = world.services.batch_store.create_batch

    def lose_the_answer(batch: Any) -> bool:
        return create(batch) and create(batch)  # as botocore repeats a call whose answer it did not get

    world.services.batch_store.create_batch = lose_the_answer  # type: ignore[method-assign]
    made = batches.create_batch(world.services, "default", body())
    assert [each["id"] for each in batches.list_batches(world.services, "default", None, None)["data"]] == [made["id"]]


def test_open_batches_are_counted_until_they_end_and_the_next_is_refused(world: World) -> None:
    world.services.settings = msgspec.structs.replace(world.services.settings, max_open_batches=2)
    wanted = body()
    first, second = (
        batches.create_batch(world.services, "default", wanted, f"key-{number}")["id"] for number in range(2)
    )
    with pytest.raises(ApiError) as refused:
        batches.create_batch(world.services, "default", wanted, "key-2")
    assert (refused.value.status, refused.value.code) == (429, "open_batches_limit_exceeded")
    assert batches.create_batch(world.services, "default", wanted, "key-1")["id"] == second
    assert world.run(first) == "done"
    assert world.services.batch_store.open_batches("default", 10) == 1
    assert batches.create_batch(world.services, "default", wanted, "key-2")["status"] == "validating"
    assert world.services.batch_store.open_batches("other", 10) == 0


def test_a_batch_that_is_refused_or_cancelled_is_not_counted(world: World) -> None:
    batches.create_batch(world.services, "default", body(input_file_id=f"s3://{BUCKET}/files/default/none.jsonl"))
    made = batches.create_batch(world.services, "default", body())["id"]
    assert world.services.batch_store.open_batches("default", 10) == 1
    batches.cancel_batch(world.services, "default", made)
    assert world.run(made) == "done"
    assert world.services.batch_store.open_batches("default", 10) == 0
