"""A retry on S3 itself: the versions that it pins, the copies that it makes, and what it may read for that."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from msgspec.structs import replace

from batchyard.adapters import checksums
from batchyard.api.batches import retry_batch
from batchyard.domain.errors import StoreError
from batchyard.planning import retry
from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from tests.fakes.batches import BUCKET
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request

if TYPE_CHECKING:
    from tests.fakes.world import World

IDS = [f"r{at}" for at in range(6)]


def test_a_retry_of_an_upload_reads_its_version_and_takes_over_answers_from_a_copy(world: World) -> None:
    world.provider.endings = [answering(lambda each: bad(each, 400) if each in {"r1", "r4"} else good(each))]
    parent = world.drop(jsonl([request(each) for each in IDS]))
    assert world.run(parent) == "done"
    child = retry_batch(world.services, "default", parent, {})["id"]
    assert world.run(child) == "done"
    _, second = world.provider.batches.values()
    assert world.provider.custom_ids(second) == ["r1", "r4"]
    assert [line["custom_id"] for line in world.answered(child, "output.jsonl")] == IDS


def test_an_upload_retries_a_batch_with_changed_bodies_which_go_for_good_at_the_end(world: World) -> None:
    world.provider.endings = [answering(lambda each: bad(each, 400) if each in {"r1", "r4"} else good(each))]
    parent = world.drop(jsonl([request(each) for each in IDS]))
    assert world.run(parent) == "done"
    asked = {"retry-of": parent, "retry-body": '{"model": "m-2"}'}
    child = world.drop(b"", "inbox/default/again", **asked)
    world.run_until_submitted(child)
    changed = world.services.batch_store.batch(child).changed
    assert changed is not None
    copy: Any = {"Bucket": BUCKET, "Prefix": f"work/{child}/plan/changed.jsonl"}
    assert [row["Size"] for row in boto3.client("s3").list_object_versions(**copy)["Versions"]] == [changed.size]
    assert world.run(child) == "done"
    *_, last = world.provider.batches.values()
    sent = [json.loads(line) for line in world.provider.files[last.input_file_id or ""].splitlines()]
    assert [(line["custom_id"], line["body"]["model"]) for line in sent] == [("r1", "m-2"), ("r4", "m-2")]
    assert world.services.batch_store.batch(parent).retried_by == child
    sweep(world.services)
    assert "Versions" not in boto3.client("s3").list_object_versions(**copy)


def test_a_failure_behind_the_last_changed_line_is_told_and_leaves_no_upload(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.provider.endings = [answering(lambda each: bad(each, 400))]
    parent = world.drop(jsonl([request(each, input="x" * 5_000_000) for each in IDS[:2]]))
    assert world.run(parent) == "done"
    child = retry_batch(world.services, "default", parent, {"body": {"model": "m-2"}})["id"]
    before = world.services.quota_store.read("default").bytes

    def fail(*_: Any, **__: Any) -> None:
        raise StoreError("the table")

    with monkeypatch.context() as broken:
        broken.setattr(world.services.batch_store, "keep_copy", fail)
        with pytest.raises(StoreError, match="the table"):
            plan(world.services, child)
    assert world.services.quota_store.read("default").bytes == before
    assert "Uploads" not in boto3.client("s3").list_multipart_uploads(Bucket=BUCKET)
    kept = world.run(child) == "done" and world.services.batch_store.batch(child).changed
    assert kept
    assert kept.size > 10_000_000


def test_of_two_retries_at_the_same_time_one_alone_is_made(world: World) -> None:
    world.provider.endings = [answering(lambda each: bad(each, 400))]
    parent = world.drop(jsonl([request("a")]))
    assert world.run(parent) == "done"
    stale = world.services.batch_store.batch(parent)
    child = retry_batch(world.services, "default", parent, {})["id"]
    other = retry.build(world.services, f"batch_{'0' * 32}", stale, {"lines": "cancelled"})
    assert not retry.create(world.services, other, stale)
    assert world.services.batch_store.find_batch(other.batch_id) is None
    assert world.services.batch_store.batch(parent).retried_by == child
    assert not retry.create(world.services, replace(other, batch_id=child), world.services.batch_store.batch(parent))


def test_long_stretches_of_answers_are_copied_by_s3(world: World) -> None:
    ids = [f"r{at:03}" for at in range(180)]
    failed = {ids[150], ids[152], ids[179]}
    big = "x" * 200_000

    def answer(custom_id: str) -> bytes:
        return bad(custom_id, 400) if custom_id in failed else good(custom_id).replace(b'"r"', f'"{big}"'.encode(), 1)

    world.provider.endings = [answering(answer)]
    parent = world.drop(jsonl([request(each) for each in ids]))
    assert world.run(parent) == "done"
    child = retry_batch(world.services, "default", parent, {})["id"]
    assert world.run(child) == "done"
    answers = world.result(child, "output.jsonl").splitlines(keepends=True)
    assert [json.loads(line)["custom_id"] for line in answers] == ids
    before = world.result(parent, "output.jsonl").splitlines(keepends=True)
    assert [line for line in answers if big.encode() in line] == before
    told = json.loads(world.result(child, "report.json"))
    assert told["output"]["checksum"] == checksums.shown(zlib.crc32(b"".join(answers)))
    assert told["output"]["sha256"] is None, "no byte of ours alone: S3 has copied some"
