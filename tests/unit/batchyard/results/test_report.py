"""report.json proves that every line has one outcome."""

import base64
import platform
import zlib
from collections import Counter
from importlib.metadata import version

import msgspec

from batchyard import __version__
from batchyard.costs.usage import Usage
from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import BatchError
from batchyard.domain.shard import Ranges, Shard
from batchyard.planning.summary import Summary
from batchyard.results.join import Result, Tally
from batchyard.results.report import report
from tests.fakes.batches import BATCH_ID, NOW, batch
from tests.fakes.bucket import MemoryBucket

ATTEMPT = Attempt(
    number=1,
    started_at=5,
    lines=3,
    provider_batch_id="pb",
    provider_status="expired",
    succeeded=2,
    usage=Usage(1, 0, 2, 0, 3),
)
SHARD = Shard(
    batch_id=BATCH_ID, shard=0, expires_at_ttl=NOW, endpoint="/v1/responses", model="m", lines=3, first=0, last=2,
    unfinished=1, completed=2, attempts=[ATTEMPT], reason=BatchError("batch_expired", "late"),
    ranges=Ranges((0, 90), (120, 150), 7), too_large_bytes=9_000,
)  # fmt: skip


def checksum(data: bytes) -> str:
    return "CRC32:" + base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def made(tally: Tally) -> dict[str, object]:
    bucket = MemoryBucket()
    for key, data in (("o", b"{}\n{}\n"), ("e", b"{}\n")):
        bucket.put(key, data)
    output, errors = Result(bucket.head("o")[0], "5e884898"), Result(bucket.head("e")[0], None)
    summary = Summary(3, 1, "/v1/responses", "m")
    known = report(batch(status="completed", usage=Usage(1, 0, 2, 0, 3)), summary, [SHARD], tally, output, errors)
    decoded: dict[str, object] = msgspec.json.decode(msgspec.json.encode(known))  # as it will lie in the bucket
    return decoded


def test_the_report_counts_lines_and_bytes_and_names_checksums() -> None:
    proof = made(Tally(2, 1, Counter(batch_expired=1)))
    assert proof["batch_id"] == BATCH_ID
    assert proof["outcomes_equal_lines"] is True
    assert proof["input"] == {
        "bucket": "batchyard-data-example", "key": "inbox/default/requests.jsonl", "etag": "etag", "size": 10,
        "version_id": "v1", "checksum": None, "lines": 3,
    }  # fmt: skip
    assert proof["output"] == {
        "key": "o", "version_id": "v1", "lines": 2, "bytes": 6, "sha256": "5e884898", "checksum": checksum(b"{}\n{}\n"),
    }  # fmt: skip
    assert proof["errors"] == {
        "key": "e", "version_id": "v1", "lines": 1, "bytes": 3, "sha256": None, "checksum": checksum(b"{}\n"),
        "by_code": {"batch_expired": 1},
    }  # fmt: skip
    assert proof["usage"] == Usage(1, 0, 2, 0, 3).shape()


def test_a_missing_outcome_is_told() -> None:
    assert made(Tally(2, 0))["outcomes_equal_lines"] is False


def test_a_shard_shows_its_attempts_and_why_lines_were_given_up() -> None:
    (shard,) = msgspec.convert(made(Tally(2, 1))["shards"], list[dict[str, object]])
    assert shard["ranges"] == {"first": [0, 90], "last": [120, 150], "count": 7}
    assert (shard["lines"], shard["completed"], shard["unfinished"]) == (3, 2, 1)
    assert shard["reason"] == {"code": "batch_expired", "message": "late", "param": None, "line": None}
    assert shard["too_large_bytes"] == 9_000
    (attempt,) = msgspec.convert(shard["attempts"], list[dict[str, object]])
    assert attempt["provider_batch_id"] == "pb"
    assert (attempt["direct"], attempt["tier"], attempt["by_flex"]) == (False, None, 0)
    assert attempt["usage"] == Usage(1, 0, 2, 0, 3).shape()


def test_a_report_says_what_made_it() -> None:
    versions = msgspec.convert(made(Tally())["versions"], dict[str, str])
    assert versions.pop("batchyard") == __version__
    assert versions.pop("python") == platform.python_version()
    assert versions == {name: version(name) for name in versions}
    assert {"boto3", "msgspec", "requests"} <= set(versions)
