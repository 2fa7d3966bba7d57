"""Anthropic's batches on real records: the filter of a list, a batch from its requests to its results, and its end."""

import json
from typing import Any

import boto3
import pytest

from batchyard.api import batches, message_batches
from batchyard.api.retry import retried
from batchyard.domain.errors import ApiError
from tests.fakes.batches import BUCKET
from tests.fakes.endings import answering
from tests.fakes.lines import good, jsonl, request, unrun
from tests.fakes.world import World

ORIGIN = "https://api.example.com"
PARAMS = {"model": "claude", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}


def create(world: World, *custom_ids: str, key: str | None = None) -> dict[str, Any]:
    body = {"requests": [{"custom_id": each, "params": PARAMS} for each in custom_ids]}
    return message_batches.create(world.services, "default", body, json.dumps(body).encode(), ORIGIN, key)


def listed(world: World, **edges: str | None) -> tuple[list[str], bool]:
    asked = {"after_id": None, "before_id": None, "limit": "2", **edges}
    page = message_batches.list_batches(world.services, "default", ORIGIN, **asked)
    return [each["id"] for each in page["data"]], page["has_more"]


def test_a_batch_goes_from_its_requests_to_its_results_and_is_deleted(world: World) -> None:
    made = create(world, "a", "b")
    batch_id = made["batchyard"]["batch_id"]
    assert world.run(batch_id) == "done"
    shown = message_batches.retrieve(world.services, "default", made["id"], ORIGIN)
    assert (shown["processing_status"], shown["request_counts"]["succeeded"]) == ("ended", 2)
    content = message_batches.results(world.services, "default", made["id"], gzip=False)
    assert content.data == world.result(batch_id, "messages.jsonl")
    lines = [json.loads(line) for line in content.data.splitlines()]
    assert [(line["custom_id"], line["result"]["type"]) for line in lines] == [("a", "succeeded"), ("b", "succeeded")]
    assert message_batches.delete(world.services, "default", made["id"])["type"] == "message_batch_deleted"
    with pytest.raises(ApiError, match="There is no message batch"):
        message_batches.retrieve(world.services, "default", made["id"], ORIGIN)
    assert listed(world) == ([], False)
    kept = batches.retrieve_batch(world.services, "default", batch_id)
    for member in ("input_file_id", "output_file_id", "messages_file_id"):
        assert not world.services.file_store.file(kept[member]).there(world.services.now())


def test_a_list_shows_the_batches_of_this_route_alone_in_both_directions(world: World) -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key="files/default/in.jsonl", Body=jsonl([request("a")]))
    of_openai = {
        "input_file_id": f"s3://{BUCKET}/files/default/in.jsonl", "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }  # fmt: skip
    ids = []
    for _ in range(5):
        world.clock.now += 0.4  # several in one second, too
        ids.append(create(world, "a")["id"])
        world.clock.now += 0.1
        batches.create_batch(world.services, "default", of_openai)
    ids.reverse()
    assert listed(world) == (ids[:2], True)
    assert listed(world, after_id=ids[1]) == (ids[2:4], True)
    assert listed(world, after_id=ids[3]) == (ids[4:], False)
    assert listed(world, before_id=ids[4]) == (ids[2:4], True)
    assert listed(world, before_id=ids[1]) == (ids[:1], False)
    assert listed(world, limit="1000") == (ids, False)


def test_a_request_repeated_with_its_key_is_one_batch_and_one_file(world: World) -> None:
    assert create(world, "a", key="k")["id"] == create(world, "a", key="k")["id"]
    with pytest.raises(ApiError, match="used with another body"):
        create(world, "b", key="k")
    (shown,) = listed(world)[0]
    assert shown


def test_a_retry_has_the_answers_that_it_takes_over_among_its_results(world: World) -> None:
    world.provider.endings = [answering(lambda each: unrun(each, "invalid_value") if each == "b" else good(each))]
    made = create(world, "a", "b", "c")
    batch_id = made["batchyard"]["batch_id"]
    assert world.run(batch_id) == "done"
    types = [json.loads(line)["result"]["type"] for line in world.result(batch_id, "messages.jsonl").splitlines()]
    assert types == ["succeeded", "errored", "succeeded"]
    retry = retried(world.services, world.services.batch_store.batch(batch_id), {}, None)
    assert world.run(retry.batch_id) == "done"
    lines = [json.loads(line) for line in world.result(retry.batch_id, "messages.jsonl").splitlines()]
    assert [(line["custom_id"], line["result"]["type"]) for line in lines] == [(each, "succeeded") for each in "abc"]
    assert f"msg{retry.batch_id}" in listed(world)[0]
