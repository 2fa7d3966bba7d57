"""Files of a gather folder of a deployed stack, from its RUN to the results of each file: what only the events can show."""

import json

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
