"""Files in parts on real S3 and DynamoDB: multipart uploads, presigned addresses, and sums under a condition."""

import base64
import zlib
from typing import Any

import boto3
import httpx
import pytest
import requests

from batchyard.adapters.stores.quota_store import QuotaStore
from batchyard.api import batches, files, presigned, uploads
from batchyard.domain import stored_file
from batchyard.domain.errors import ApiError
from batchyard.domain.multipart_upload import KEEP_PARTS, LIFE
from batchyard.domain.stored_file import UPLOADED, Stored
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.moto import TABLE
from tests.fakes.world import World

PART = 4_000_000
FIVE_MIB = 5 * 2**20
LINES = jsonl([request(f"r{number}", note="ü" * 40_000) for number in range(260)])  # 21 MB: more than two parts of S3's


def put_parts(world: World, data: bytes, **members: Any) -> tuple[str, list[str]]:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": len(data), "mime_type": "text/jsonl", **members}
    upload_id = uploads.create_upload(world.services, "default", body)["id"]
    part_ids = []
    for start in range(0, len(data), PART):
        form = httpx.Request("POST", "http://127.0.0.1", files={"data": ("upload", data[start : start + PART])})
        kind, sent = form.headers["content-type"], form.read()
        part_ids.append(uploads.add_part(world.services, "default", upload_id, kind, sent)["id"])
    return upload_id, part_ids


def under(prefix: str) -> list[str]:
    return [row["Key"] for row in boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]


def test_parts_smaller_than_s3_s_own_become_one_file_and_a_batch(world: World) -> None:
    assert len(LINES) > 2 * FIVE_MIB
    upload_id, part_ids = put_parts(world, LINES)
    done = uploads.complete_upload(world.services, "default", upload_id, {"part_ids": part_ids})
    file = world.services.file_store.file(done["file"]["id"])
    assert world.services.file_bucket.read(file) == LINES
    checksum = base64.b64encode(zlib.crc32(LINES).to_bytes(4, "big")).decode()
    assert world.services.bucket.head(file.key)[0].checksum == f"CRC32:{checksum}"
    body = {"input_file_id": file.file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = batches.create_batch(world.services, "default", body)
    assert world.run(made["id"]) == "done"
    assert batches.retrieve_batch(world.services, "default", made["id"])["request_counts"]["completed"] == 260
    assert uploads.complete_upload(world.services, "default", upload_id, {"part_ids": part_ids}) == done


def test_a_wrong_digest_leaves_nothing_behind(world: World) -> None:
    upload_id, part_ids = put_parts(world, LINES)
    with pytest.raises(ApiError, match="md5"):
        uploads.complete_upload(world.services, "default", upload_id, {"part_ids": part_ids, "md5": "0" * 32})
    assert under("files/") == []
    assert "Uploads" not in boto3.client("s3").list_multipart_uploads(Bucket=BUCKET)


def test_a_cancelled_upload_cannot_be_completed(world: World) -> None:
    upload_id, part_ids = put_parts(world, b"{}\n")
    assert uploads.cancel_upload(world.services, "default", upload_id)["status"] == "cancelled"
    with pytest.raises(ApiError, match="is cancelled"):
        uploads.complete_upload(world.services, "default", upload_id, {"part_ids": part_ids})
    with pytest.raises(ApiError, match="No such Upload object"):
        uploads.cancel_upload(world.services, "other", upload_id)


def test_a_file_sent_straight_to_s3_is_a_file_at_once(world: World) -> None:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": len(LINES)}
    file = presigned.presign_file(world.services, "default", body)
    assert files.retrieve_file(world.services, "default", file["id"])["status"] == "uploaded"
    [part] = file["upload"]["parts"]
    assert requests.put(part["url"], data=LINES, headers=file["upload"]["headers"], timeout=10).status_code == 200
    tags = boto3.client("s3").get_object_tagging(Bucket=BUCKET, Key=f"files/default/{file['id']}")["TagSet"]
    assert tags == [{"Key": "keep-days", "Value": "30"}]
    source = files.input_of(world.services, "default", file["id"])
    assert source is not None
    assert source.size == len(LINES)
    kept = world.services.file_store.file(file["id"])
    assert (kept.status, kept.version_id) == ("processed", source.version_id)
    assert requests.get(str(files.file_content(world.services, "default", file["id"]).url), timeout=10).content == LINES


def test_a_file_sent_to_s3_in_parts_is_joined_when_it_is_asked_for(world: World) -> None:
    file_id, key = stored_file.file_id("made up"), "files/default/made-up"
    multipart_id = world.services.file_bucket.begin(key, 3_600)
    members: dict[str, Any] = {"bytes": len(LINES), "filename": "in.jsonl", "purpose": "batch", "status": UPLOADED}
    file = stored_file.new(
        file_id, "default", world.services.clock(), 3_600, key=key, multipart_id=multipart_id, **members
    )
    world.services.file_store.keep(file)
    sizes = [2 * FIVE_MIB, len(LINES) - 2 * FIVE_MIB]
    links = [world.services.file_bucket.part_link(file, multipart_id, at + 1, size) for at, size in enumerate(sizes)]
    assert requests.put(links[1], data=LINES[sizes[0] :], timeout=10).status_code == 200
    assert files.retrieve_file(world.services, "default", file_id)["status"] == "uploaded"
    assert requests.put(links[0], data=LINES[: sizes[0]], timeout=10).status_code == 200
    assert files.retrieve_file(world.services, "default", file_id)["status"] == "processed"
    assert world.services.file_bucket.read(world.services.file_store.file(file_id)) == LINES
    assert presigned.refresh(world.services, file).status == "processed"  # joined by another call before


def test_an_upload_in_parts_that_was_left_off_goes_on_with_the_parts_that_have_not_come(world: World) -> None:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": len(LINES), "part_bytes": FIVE_MIB}
    file = presigned.presign_file(world.services, "default", body)
    pieces = {part["number"]: LINES[(part["number"] - 1) * FIVE_MIB :][: part["bytes"]] for part in parts_of(file)}
    assert requests.put(parts_of(file)[1]["url"], data=pieces[2], timeout=10).status_code == 200
    again = presigned.presign_file(world.services, "default", {"file_id": file["id"]})
    assert [part["number"] for part in parts_of(again)] == [at for at in pieces if at != 2]
    for part in parts_of(again):
        assert requests.put(part["url"], data=pieces[part["number"]], timeout=10).status_code == 200
    whole = presigned.presign_file(world.services, "default", {"file_id": file["id"]})
    assert (whole["status"], parts_of(whole)) == ("processed", [])
    assert world.services.file_bucket.read(world.services.file_store.file(file["id"])) == LINES


def test_parts_that_s3_has_removed_are_announced_anew(world: World) -> None:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": len(LINES), "part_bytes": FIVE_MIB}
    file = world.services.file_store.file(presigned.presign_file(world.services, "default", body)["id"])
    world.services.file_bucket.abort(file, str(file.multipart_id))
    with pytest.raises(ApiError, match="Announce the file anew"):
        presigned.presign_file(world.services, "default", {"file_id": file.file_id})


def parts_of(file: dict[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = file["upload"]["parts"]
    return parts


def test_parts_are_counted_before_they_are_written(world: World) -> None:
    upload_id, part_ids = put_parts(world, b"{}\n")
    batch_store = world.services.upload_store
    assert batch_store.count_part(upload_id, 3, 6, 2)
    assert not batch_store.count_part(upload_id, 1, 6, 9)  # as many bytes as there may be
    assert not batch_store.count_part(upload_id, 0, 9, 2)  # as many parts
    assert (batch_store.upload(upload_id).parts, batch_store.upload(upload_id).received) == (2, 6)
    done = uploads.complete_upload(world.services, "default", upload_id, {"part_ids": part_ids})
    assert done["status"] == "completed"


def test_uploads_whose_parts_may_lie_in_the_bucket_are_listed_for_their_tenant(world: World) -> None:
    first, _ = put_parts(world, b"{}\n")
    world.clock.now += 1
    second, _ = put_parts(world, b"{}\n")
    cancelled, _ = put_parts(world, b"{}\n")
    uploads.cancel_upload(world.services, "default", cancelled)

    def stored(now: float) -> list[str]:
        return [each.upload_id for each in world.services.upload_store.stored("default", int(now))]

    assert stored(world.clock.now) == [first, second]
    assert stored(world.clock.now + LIFE + KEEP_PARTS - 1) == [second]
    assert list(world.services.upload_store.stored("other", int(world.clock.now))) == []


def test_the_sum_of_what_a_tenant_stores_is_kept_and_corrected(world: World) -> None:
    sums, now = QuotaStore(TABLE, 10), world.services.now()
    assert sums.read("default") == Stored(tenant="default")
    assert not sums.add("default", 11, now)
    assert sums.add("default", 6, now)
    assert not sums.add("default", 5, now)
    sums.count("default", 5, now)
    sums.give_back("default", 1, now + 1)
    assert sums.add("team", 1, now)
    before = sums.read("default")
    assert (before.bytes, before.changed_at, before.counted_at) == (10, now + 1, 0)
    assert [each.tenant for each in sums.all("")] == ["default", "team"]
    assert [each.tenant for each in sums.all("default")] == ["team"]
    assert sums.correct(before, 3, now + 9)
    assert not sums.correct(before, 4, now + 9)
    assert sums.read("default") == Stored(tenant="default", bytes=3, changed_at=now + 1, counted_at=now + 9)
