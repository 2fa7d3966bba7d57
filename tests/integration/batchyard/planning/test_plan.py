"""A plan on real objects and records: versions, copies, and as many errors as a record holds."""

import gzip
from typing import Any

import boto3
import pytest
from msgspec.structs import replace

from batchyard.planning import regroup
from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World

GOOD = jsonl([request("a")])
MIB = 1 << 20


def test_a_record_holds_a_thousand_errors_and_the_number_of_all(world: World) -> None:
    batch_id = world.drop(b"nonsense\n" * 1_500)
    world.run(batch_id)
    batch = world.services.batch_store.batch(batch_id)
    assert (len(batch.errors), batch.errors_total) == (1_000, 1_500)
    assert batch.errors[-1].line == 1_000


def test_a_batch_reads_the_version_it_was_made_from(world: World) -> None:
    batch_id = world.drop(GOOD)
    boto3.client("s3").put_object(Bucket=BUCKET, Key="inbox/default/in.jsonl", Body=jsonl([request("replaced")]))
    assert world.run(batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == ["a"]


def test_the_lines_of_a_gzip_input_are_numbered_as_in_the_text(world: World) -> None:
    batch_id = world.drop(gzip.compress(GOOD + b"\n" + GOOD))
    assert world.run(batch_id) == "refused"
    assert world.services.batch_store.batch(batch_id).errors[0].line == 3


def test_an_unpacked_copy_goes_for_good_when_its_batch_has_ended(world: World) -> None:
    batch_id = world.drop(gzip.compress(GOOD))
    world.run_until_submitted(batch_id)
    copy: Any = {"Bucket": BUCKET, "Prefix": f"work/{batch_id}/plan/input.jsonl"}
    assert [row["Size"] for row in boto3.client("s3").list_object_versions(**copy)["Versions"]] == [len(GOOD)]
    assert world.services.quota_store.read("default").bytes == len(GOOD)
    assert world.run(batch_id) == "done"
    results = len(world.result(batch_id, "output.jsonl"))
    assert sweep(world.services)["CopiesRemoved"] == 1
    assert "Versions" not in boto3.client("s3").list_object_versions(**copy)
    assert world.services.quota_store.read("default").bytes == results
    assert "CopiesRemoved" not in sweep(world.services)


def test_a_copy_that_grows_too_large_leaves_nothing_of_what_an_earlier_invocation_began(world: World) -> None:
    world.services.settings = replace(world.services.settings, max_unpacked_bytes=15 * MIB)
    batch_id = world.drop(gzip.compress(GOOD * (20 * MIB // len(GOOD))))
    left = iter([900.0] * 10 + [0.0] * 100)
    assert plan(world.services, batch_id, seconds_left=lambda: next(left)).next == "plan"
    assert len(boto3.client("s3").list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 1
    assert plan(world.services, batch_id, resume=True).next == "refused"
    assert "Uploads" not in boto3.client("s3").list_multipart_uploads(Bucket=BUCKET)
    assert world.services.quota_store.read("default").bytes == 0
    assert world.services.batch_store.batch(batch_id).errors[0].code == "file_too_large"


def test_an_input_that_is_gone_refuses_the_batch(world: World) -> None:
    batch_id = world.drop(GOOD)
    version = world.services.batch_store.batch(batch_id).input.version_id or ""
    boto3.client("s3").delete_object(Bucket=BUCKET, Key="inbox/default/in.jsonl", VersionId=version)
    assert world.run(batch_id) == "refused"
    assert world.services.batch_store.batch(batch_id).errors[0].param == "file_id"


def test_many_models_mixed_line_by_line_are_copied_once_and_answered_in_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regroup, "FEW_BYTES", 0)
    batch_id = world.drop(jsonl([request(f"r{at}", model=f"m{at % 12}") for at in range(240)]))
    assert world.run(batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == [f"r{at}" for at in range(240)]
    assert len(world.provider.batches) == 12
    copies = boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"work/{batch_id}/plan/regrouped-")
    assert copies["KeyCount"] == 1
