"""Files of a gather folder of a deployed stack, from its RUN to the results of each file: what only the events can show."""

import json
from typing import Any

from batchyard.gathering.fire import id_of
from tests.system.processes import eventually
from tests.system.running_stack import TENANT, RunningStack, jsonl, request


def test_a_run_gathers_all_files_of_its_folder_into_one_provider_batch(stack: RunningStack) -> None:
    s3, bucket, folder = stack.clients.s3, stack.doors["bucket"], f"gather/{TENANT}/system/"
    files = {f"{at:02}.jsonl": jsonl(request(line) for line in range(1 + at % 3)) for at in range(20)}
    for name, body in files.items():
        s3.put_object(Bucket=bucket, Key=folder + name, Body=body)
    version = s3.put_object(Bucket=bucket, Key=f"{folder}RUN", Body=b"")["VersionId"]
    batch_id = id_of(TENANT, "system", f"RUN {version}")
    eventually(lambda: "Item" in stack.table.get_item(Key={"pk": f"BATCH#{batch_id}", "sk": "BATCH"}))
    batch = stack.ended(batch_id)
    assert (batch.status, batch.failed) == ("completed", 0)
    assert len(stack.provider_batches(batch_id)) == 1
    results = stack.results(batch_id)
    assert [file["file"] for file in results.report["files"]] == sorted(files)
    for name, body in files.items():
        key = f"results/{TENANT}/{batch_id}/files/{name}/output.jsonl"
        own = s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()
        assert [json.loads(line)["custom_id"] for line in own] == [
            f"request-{line}" for line in range(len(body.splitlines()))
        ]


def test_the_sweep_has_the_function_that_gathers_go_on_with_a_firing_that_was_left(stack: RunningStack) -> None:
    """What only a deployed stack shows: the sweep knows this function, and may invoke it."""
    batch_id = id_of(TENANT, "left", "a process that died")
    stack.clients.s3.put_object(
        Bucket=stack.doors["bucket"], Key=f"gather/{TENANT}/left/a.jsonl", Body=jsonl([request(1)])
    )
    left: dict[str, Any] = {
        "tenant": TENANT, "name": "left", "key": "a process that died", "batch_id": batch_id, "options": "{}", "state": "open",
        "created_at": 1_600_000_000, "expires_at_ttl": 4_000_000_000, "unsettled": "firing",
    }  # fmt: skip
    stack.table.put_item(Item={"pk": f"GATHER#{TENANT}/left", "sk": f"FIRING#{batch_id}", **left})
    stack.invoke("Sweep", {"detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}"})
    eventually(lambda: "Item" in stack.table.get_item(Key={"pk": f"BATCH#{batch_id}", "sk": "BATCH"}))
    assert stack.ended(batch_id).status == "completed"
