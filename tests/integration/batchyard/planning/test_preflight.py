"""A dry run on real records: the permissions that only a cancelled or a repeated dry run needs."""

from typing import Any

import boto3

from batchyard.api.batches import cancel_batch, create_batch, retrieve_batch
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World

MINI = "gpt-4.1-mini"  # in a batch, 0.2 and 0.8 dollars per million tokens

LINES = [request(f"r{at}", model=MINI, max_tokens=100) for at in range(10)]


def wanted(world: World, lines: list[dict[str, Any]], **members: object) -> dict[str, Any]:
    world.services.bucket.put("files/default/in.jsonl", jsonl(lines))
    uri = f"s3://{BUCKET}/files/default/in.jsonl"
    return {"input_file_id": uri, "endpoint": "/v1/chat/completions", "completion_window": "24h", **members}


def test_a_dry_run_can_be_cancelled(world: World) -> None:
    batch_id = create_batch(world.services, "default", wanted(world, LINES, dry_run=True))["id"]
    cancel_batch(world.services, "default", batch_id)
    assert world.run(batch_id) == "done"
    assert retrieve_batch(world.services, "default", batch_id)["status"] == "cancelled"


def test_a_dry_run_takes_no_upload_over_and_no_call_takes_a_dry_run_over(world: World) -> None:
    for dry, key in ((False, "inbox/default/a.jsonl"), (True, "inbox/default/b.jsonl")):
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=jsonl(LINES))
        uploaded = world.drop(jsonl(LINES), key, **({"dry-run": "true"} if dry else {}))
        call = {**wanted(world, LINES, dry_run=not dry), "input_file_id": f"s3://{BUCKET}/{key}"}
        made = create_batch(world.services, "default", call)
        assert made["id"] != uploaded
        assert made.get("dry_run", False) is not dry
