"""Files on real S3 and DynamoDB: versions, tags, links, and lists in pages of the table."""

from typing import Any

import boto3
import httpx
import pytest

from batchyard.api import batches, files
from batchyard.domain.errors import ApiError
from batchyard.domain.numbers import DAY
from tests.fakes.batches import BUCKET
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request
from tests.fakes.world import World

TWO = jsonl([request("a"), request("ü")])


def create(
    world: World, data: bytes = TWO, name: str = "in.jsonl", purpose: str = "batch", **texts: str
) -> dict[str, Any]:
    world.clock.now += 1
    parts: dict[str, Any] = {"purpose": (None, purpose), "file": (name, data)}
    parts |= {key: (None, text) for key, text in texts.items()}
    form = httpx.Request("POST", "http://127.0.0.1", files=parts)
    return files.create_file(world.services, "default", form.headers["content-type"], form.read())


def listed(world: World, **asked: str) -> dict[str, Any]:
    wanted = {name: asked.get(name) for name in ("purpose", "limit", "order", "after")}
    return files.list_files(world.services, "default", **wanted)


def run(world: World, file_id: str, **members: Any) -> dict[str, Any]:
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h", **members}
    made = batches.create_batch(world.services, "default", body)
    assert world.run(made["id"]) == "done"
    return batches.retrieve_batch(world.services, "default", made["id"])


def tags(key: str) -> list[Any]:
    return boto3.client("s3").get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]


def test_a_file_becomes_a_batch_and_its_results_are_files(world: World) -> None:
    world.provider.endings = [answering(lambda each: good(each) if each == "a" else bad(each, 400))]
    made = create(world)
    shown = run(world, made["id"])
    assert shown["input_file_id"] == made["id"]
    output = files.retrieve_file(world.services, "default", shown["output_file_id"])
    errors = files.retrieve_file(world.services, "default", shown["error_file_id"])
    assert (output["filename"], errors["filename"]) == (f"{shown['id']}_output.jsonl", f"{shown['id']}_error.jsonl")
    for file, name in ((output, "output.jsonl"), (errors, "errors.jsonl")):
        content = files.file_content(world.services, "default", file["id"]).data or b""
        assert content == world.result(shown["id"], name)
        assert (file["purpose"], file["bytes"], file["expires_at"]) == ("batch_output", len(content), None)
    assert {each["id"] for each in listed(world, purpose="batch_output")["data"]} == {output["id"], errors["id"]}


def test_a_result_that_was_to_expire_does_and_its_object_is_tagged_for_removal(world: World) -> None:
    shown = run(world, create(world)["id"], output_expires_after={"anchor": "created_at", "seconds": 3_600})
    output = files.retrieve_file(world.services, "default", shown["output_file_id"])
    assert output["expires_at"] == output["created_at"] + 3_600
    assert tags(f"results/default/{shown['id']}/output.jsonl") == [{"Key": "keep-days", "Value": "1"}]
    world.clock.now += 3_600
    with pytest.raises(ApiError, match="No such File object"):
        files.file_content(world.services, "default", shown["output_file_id"])
    assert batches.retrieve_batch(world.services, "default", shown["id"])["status"] == "completed"


def test_an_input_is_tagged_for_removal_and_any_other_file_stays(world: World) -> None:
    assert tags(f"files/default/{create(world)['id']}") == [{"Key": "keep-days", "Value": "30"}]
    assert tags(f"files/default/{create(world, name='a.png', purpose='vision')['id']}") == []


def test_an_input_deleted_after_its_batch_was_made_is_still_read_by_it(world: World) -> None:
    file_id = create(world)["id"]
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = batches.create_batch(world.services, "default", body)
    files.delete_file(world.services, "default", file_id)
    assert world.run(made["id"]) == "done"
    assert batches.retrieve_batch(world.services, "default", made["id"])["request_counts"]["completed"] == 2


def test_a_large_file_is_fetched_by_a_link_to_its_very_version(world: World) -> None:
    made = create(world, TWO + b" " * 4_000_000)
    link = str(files.file_content(world.services, "default", made["id"]).url)
    assert link.startswith(f"https://{BUCKET}.s3.")
    assert {"versionId", "X-Amz-Signature", "response-content-disposition"} <= set(httpx.URL(link).params)


def test_files_are_listed_in_pages_of_dynamodb_too(world: World) -> None:
    made = [create(world)["id"] for _ in range(7)]
    seen, page = [], listed(world, limit="2")
    seen += page["data"]
    while page["has_more"]:
        files.delete_file(world.services, "default", page["last_id"])  # a list goes on behind what is deleted meanwhile
        page = listed(world, limit="2", after=page["last_id"])
        seen += page["data"]
    assert [each["id"] for each in seen] == made[::-1]
    assert len(listed(world)["data"]) == 7 - 3
    assert [each["id"] for each in listed(world, order="asc", limit="1")["data"]] == made[:1]
    world.clock.now += 31 * DAY
    assert listed(world)["data"] == []


def test_a_deleted_file_that_no_batch_read_is_gone_for_good(world: World) -> None:
    made = create(world)
    files.delete_file(world.services, "default", made["id"])
    versions = boto3.client("s3").list_object_versions(Bucket=BUCKET, Prefix=f"files/default/{made['id']}")
    assert versions.get("Versions") is None
    with pytest.raises(ApiError, match="No such File object"):
        files.delete_file(world.services, "default", made["id"])
