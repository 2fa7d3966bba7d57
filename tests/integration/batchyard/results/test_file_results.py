"""Results of files that are so large that S3 copies them out of the whole results."""

import base64
import json
import zlib

from batch_client import Batch
from batchyard.adapters import aws
from batchyard.gathering.gather import gather
from tests.fakes.batches import BUCKET
from tests.fakes.endings import EndingsProvider, ended
from tests.fakes.gathered import FOLDER, echo, lines_of, put, report_of
from tests.fakes.world import World


def test_large_results_are_copied_by_s3_and_have_the_same_bytes(world: World) -> None:
    def long(provider: EndingsProvider, batch: Batch) -> Batch:
        lines = [echo(line) for line in provider.files[batch.input_file_id or ""].splitlines()]
        many = {0: 3_000_000, 1: 6_000_000, 2: 10, 3: 9_000_000, 4: 7_000_000}
        padded = [line.replace(b'"said": "', b'"said": "' + b"x" * many[at]) for at, line in enumerate(lines)]
        return ended(provider, batch, "completed", padded, [])

    world.provider.endings = [long]
    files = {
        "a.jsonl": lines_of("a", 2),
        "b.jsonl": lines_of("b", 1),
        "c.jsonl": lines_of("c", 1),
        "d.jsonl": lines_of("d", 1),
    }
    put(world, {**files, "RUN": b""})
    batch = gather(world.services, BUCKET, f"{FOLDER}RUN")
    assert batch is not None
    copied = list[str]()
    aws.client("s3").meta.events.register(
        "before-call.s3.UploadPartCopy", lambda params, **_: copied.append(params["url_path"])
    )
    assert world.run(batch.batch_id) == "done"
    own = {name: world.read(f"results/default/{batch.batch_id}/files/{name}/output.jsonl") for name in files}
    assert b"".join(own.values()) == world.result(batch.batch_id, "output.jsonl")
    assert {path.split("/")[-2] for path in copied if "/files/" in path} == {"a.jsonl", "c.jsonl"}
    for told in report_of(world, batch.batch_id)["files"]:
        crc32 = base64.b64encode(zlib.crc32(own[told["file"]]).to_bytes(4, "big")).decode()
        assert told["output"] == {"bytes": len(own[told["file"]]), "checksum": f"CRC32:{crc32}"}
        assert json.loads(own[told["file"]].splitlines()[-1])["custom_id"].startswith("line-")
