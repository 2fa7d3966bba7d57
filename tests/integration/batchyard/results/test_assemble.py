"""Results of parts on real S3, written in many runs of Assemble: one multipart upload, completed once."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError
from msgspec.structs import replace

from batchyard.adapters import checksums
from batchyard.adapters.bucket import Bucket
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from tests.fakes.batches import BUCKET
from tests.fakes.endings import answering
from tests.fakes.lines import good, jsonl, request
from tests.fakes.seconds_left import Killed, SecondsLeft

if TYPE_CHECKING:
    from tests.fakes.world import World

FILLED = 1_100_000  # bytes of an answer: eight make a run that is copied
LINES = [f"r{at}" for at in range(24)]


def answer(custom_id: str) -> bytes:
    return good(custom_id).replace(b'"object"', b'"text": "' + b"x" * FILLED + b'", "object"')


def collected(world: World) -> str:
    """Bring a batch of three shards to where it is to be assembled."""
    world.services.settings = replace(world.services.settings, max_requests_per_shard=8)
    world.provider.endings = [answering(answer)] * 3
    batch_id = world.drop(jsonl([request(each) for each in LINES]))
    for each in json.loads(world.read(plan(world.services, batch_id).shards["key"])):
        world.run_shard(Step(batch_id, each["shard"]))
    return batch_id


def by_turns(world: World, batch_id: str) -> int:
    for turn in range(1, 40):
        try:
            if assemble(world.services, batch_id, SecondsLeft(2)) == "done":
                return turn
        except Killed:
            continue
    raise AssertionError("not done after 40 turns")


def check(world: World, batch_id: str) -> None:
    expected = b"".join(map(answer, LINES))
    assert world.result(batch_id, "output.jsonl") == expected
    report = json.loads(world.result(batch_id, "report.json"))
    assert (report["output"]["bytes"], report["output"]["lines"]) == (len(expected), len(LINES))
    assert report["output"]["checksum"] == checksums.shown(zlib.crc32(expected))
    assert report["outcomes_equal_lines"] is True


def test_runs_that_are_copied_are_gone_on_with_in_the_same_upload(world: World) -> None:
    batch_id = collected(world)
    assert by_turns(world, batch_id) > 3
    check(world, batch_id)
    assert boto3.client("s3").list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


class DiesAfterCompletion(Bucket):
    """A bucket whose user dies once when both results lie there, before that is noted."""

    deaths = 1

    def put(self, key: str, data: bytes) -> None:
        if key.endswith("progress.msgpack") and self.deaths and self._there():
            self.deaths -= 1
            raise Killed
        super().put(key, data)

    def _there(self) -> bool:
        found = boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="results/")
        return any(each["Key"].endswith("output.jsonl") for each in found.get("Contents", []))


def test_an_upload_that_was_completed_and_not_noted_is_begun_anew(world: World) -> None:
    batch_id = collected(world)
    dying = world.services.bucket = DiesAfterCompletion(BUCKET)
    by_turns(world, batch_id)
    assert dying.deaths == 0
    check(world, batch_id)


def test_an_upload_that_the_store_has_given_up_is_begun_anew(world: World) -> None:
    batch_id = collected(world)
    s3, refused = boto3.client("s3"), iter([True])

    def given_up(**_: object) -> None:
        if next(refused, False):
            raise ClientError({"Error": {"Code": "NoSuchUpload"}}, "CompleteMultipartUpload")

    s3.meta.events.register("before-call.s3.CompleteMultipartUpload", given_up)
    world.services.bucket = Bucket(BUCKET, s3)
    assert by_turns(world, batch_id) > 3
    assert not next(refused, False)
    check(world, batch_id)
