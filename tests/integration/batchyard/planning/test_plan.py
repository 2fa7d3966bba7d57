"""A plan on real objects and records: versions, copies, and as many errors as a record holds."""

import gzip

import boto3
import pytest

from batchyard.planning import regroup
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World

GOOD = jsonl([request("a")])


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
