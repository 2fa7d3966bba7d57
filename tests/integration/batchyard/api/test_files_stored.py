"""A tenant is counted for what lies in S3: a link writes once, a deletion is final, and no version is left uncounted."""

import time
from typing import Any

import boto3
import httpx
import pytest
import requests

from batchyard.api import batches, file_rules, files, presigned, uploads
from batchyard.domain.errors import ApiError
from batchyard.domain.numbers import DAY, HOUR
from batchyard.recovery.ownership import LATEST_RECORD
from batchyard.recovery.sweep import sweep
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World

LINES = jsonl([request("a"), request("b")])


@pytest.fixture
def now(world: World) -> World:
    """A world of today: what lies in S3 has today's date."""
    world.clock.now = time.time()
    return world


def versions(prefix: str = "files/") -> list[int]:
    """List the sizes of all versions that have any bytes."""
    rows = boto3.client("s3").list_object_versions(Bucket=BUCKET, Prefix=prefix).get("Versions", [])
    return [row["Size"] for row in rows if row["Size"]]


def counted(world: World) -> int:
    return world.services.quota_store.read("default").bytes


def announced(world: World, data: bytes = LINES, **members: Any) -> dict[str, Any]:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": len(data), **members}
    return presigned.presign_file(world.services, "default", body)


def put(file: dict[str, Any], data: bytes = LINES) -> int:
    """Send the bytes to the link as its owner is told to, and return the status."""
    [part] = file["upload"]["parts"]
    return requests.put(part["url"], data=data, headers=file["upload"]["headers"], timeout=10).status_code


def sent(world: World, data: bytes = LINES) -> str:
    form = httpx.Request("POST", "http://127.0.0.1", data={"purpose": "batch"}, files={"file": ("in.jsonl", data)})
    return str(files.create_file(world.services, "default", form.headers["content-type"], form.read())["id"])


def sweep_later(world: World, seconds: int = HOUR + LATEST_RECORD) -> dict[str, int]:
    world.clock.now += seconds
    return sweep(world.services)


def test_a_link_writes_once(now: World) -> None:
    file = announced(now)
    assert [put(file), put(file), put(file)] == [200, 412, 412]
    assert (versions(), counted(now)) == ([len(LINES)], len(LINES))


def test_the_condition_is_part_of_the_signature(now: World) -> None:
    [part] = announced(now)["upload"]["parts"]
    signed = httpx.URL(part["url"]).params["X-Amz-SignedHeaders"].split(";")
    assert {"content-length", "if-none-match", "x-amz-tagging"} <= set(signed)


@pytest.mark.parametrize("sent_before", [False, True])
@pytest.mark.parametrize("looked", [False, True])
def test_what_was_deleted_is_not_written_again_by_its_link(now: World, *, sent_before: bool, looked: bool) -> None:
    file = announced(now)
    if sent_before:
        assert put(file) == 200
    if looked:
        files.retrieve_file(now.services, "default", file["id"])
    files.delete_file(now.services, "default", file["id"])
    assert put(file) == 412
    assert (versions(), counted(now)) == ([], 0)
    with pytest.raises(ApiError, match="No such File object"):
        files.retrieve_file(now.services, "default", file["id"])


def test_the_place_that_a_deletion_holds_goes_once_the_link_is_over(now: World) -> None:
    file = announced(now)
    files.delete_file(now.services, "default", file["id"])
    sweep_later(now, 60)
    assert put(file) == 412
    sweep_later(now, 2 * HOUR)
    assert boto3.client("s3").list_object_versions(Bucket=BUCKET, Prefix="files/").get("Versions", []) == []


def test_what_is_sent_and_deleted_over_and_over_leaves_nothing(now: World) -> None:
    for _ in range(3):
        files.delete_file(now.services, "default", sent(now))
    assert (versions(), counted(now)) == ([], 0)


def test_the_parts_of_a_file_that_was_deleted_take_nothing_more(now: World) -> None:
    file = announced(now, bytes=file_rules.LARGEST_PUT + 1)
    [first, *_] = file["upload"]["parts"]
    assert requests.put(first["url"], data=b"x", timeout=10).status_code == 200
    files.delete_file(now.services, "default", file["id"])
    assert "Uploads" not in boto3.client("s3").list_multipart_uploads(Bucket=BUCKET)


@pytest.mark.parametrize("by_address", [False, True])
def test_a_file_that_a_batch_reads_is_counted_until_the_batch_has_ended_and_its_bytes_are_gone(
    now: World, *, by_address: bool
) -> None:
    file_id = sent(now)
    named = f"s3://{BUCKET}/files/default/{file_id}" if by_address else file_id
    wanted = {"input_file_id": named, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    batch_id = batches.create_batch(now.services, "default", wanted)["id"]
    files.delete_file(now.services, "default", file_id)
    assert (versions(), counted(now)) == ([len(LINES)], len(LINES))
    sweep_later(now)
    assert (versions(), counted(now)) == ([len(LINES)], len(LINES))
    assert now.run(batch_id) == "done"
    assert now.services.batch_store.batch(batch_id).counts.completed == 2
    results = counted(now) - len(LINES)
    assert sweep_later(now)["StoredFilesRemoved"] == 1
    assert (versions(), counted(now)) == ([], results)
    assert "StoredFilesRemoved" not in sweep_later(now)


def test_a_used_file_that_is_deleted_is_hidden_and_its_bytes_go_with_the_sweep(now: World) -> None:
    file_id = sent(now)
    assert files.input_of(now.services, "default", file_id) is not None
    files.delete_file(now.services, "default", file_id)
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="files/")
    assert (versions(), counted(now)) == ([len(LINES)], len(LINES))  # a batch may be about to read them
    sweep(now.services)
    assert (versions(), counted(now)) == ([len(LINES)], len(LINES))
    assert sweep_later(now)["StoredFilesRemoved"] == 1
    assert (versions(), counted(now)) == ([], 0)


def test_a_file_that_was_deleted_meanwhile_makes_no_batch(now: World) -> None:
    file_id = sent(now)
    files.delete_file(now.services, "default", file_id)
    for named in (file_id, f"s3://{BUCKET}/files/default/{file_id}"):
        wanted = {"input_file_id": named, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        assert batches.create_batch(now.services, "default", wanted)["status"] == "failed"


def test_the_bytes_of_a_file_that_expired_go_with_the_next_sweep(now: World) -> None:
    file = announced(now, expires_after={"anchor": "created_at", "seconds": HOUR})
    assert put(file) == 200
    files.retrieve_file(now.services, "default", file["id"])
    assert sweep_later(now)["StoredFilesRemoved"] == 1
    assert (versions(), counted(now)) == ([], 0)


def test_the_parts_of_a_file_that_expired_go_with_the_next_sweep(now: World) -> None:
    size = file_rules.LARGEST_PUT + 1
    file = announced(now, bytes=size, expires_after={"anchor": "created_at", "seconds": HOUR})
    assert requests.put(file["upload"]["parts"][0]["url"], data=b"x", timeout=10).status_code == 200
    assert counted(now) == size
    sweep_later(now, HOUR + 60)
    assert counted(now) == size  # a part may still be on its way
    assert sweep_later(now)["StoredFilesRemoved"] == 1
    assert "Uploads" not in boto3.client("s3").list_multipart_uploads(Bucket=BUCKET)
    assert counted(now) == 0


def test_a_file_whose_bytes_never_came_is_counted_no_more_once_none_can_come(now: World) -> None:
    announced(now)
    sweep_later(now)
    assert counted(now) == len(LINES)  # what was begun in time may take long to arrive
    sweep_later(now, 2 * DAY)
    assert counted(now) == 0


def test_a_file_that_nobody_asked_for_since_its_bytes_came_is_counted(now: World) -> None:
    file = announced(now)
    assert put(file) == 200
    sweep_later(now, 2 * DAY)
    assert (versions(), counted(now)) == ([len(LINES)], len(LINES))
    assert files.retrieve_file(now.services, "default", file["id"])["status"] == "processed"


def test_what_no_record_owns_is_removed_and_what_a_person_put_there_is_not(now: World) -> None:
    file_id, s3 = sent(now), boto3.client("s3")
    for name in (file_id, "file-" + "x" * 22, "corpus.jsonl", "sub/file-" + "x" * 22, "file-x"):
        s3.put_object(Bucket=BUCKET, Key=f"files/default/{name}", Body=LINES + name.encode())
    sweep(now.services)
    assert len(versions()) == 6  # a worker may be about to record them
    assert sweep_later(now, LATEST_RECORD + 60)["StoredFilesRemoved"] == 2
    left = {row["Key"]: row["Size"] for row in s3.list_object_versions(Bucket=BUCKET, Prefix="files/")["Versions"]}
    assert left.keys() == {
        f"files/default/{name}" for name in (file_id, "corpus.jsonl", "sub/file-" + "x" * 22, "file-x")
    }
    assert left[f"files/default/{file_id}"] == len(LINES)


def test_two_calls_that_join_the_same_parts_leave_one_file(now: World) -> None:
    upload_id, part_ids = begun(now, LINES)
    keep = now.services.file_store.keep

    def meanwhile(file: Any) -> bool:
        now.services.file_store.keep = keep  # type: ignore[method-assign]
        uploads.complete_upload(now.services, "default", upload_id, {"part_ids": part_ids})
        return keep(file)

    now.services.file_store.keep = meanwhile  # type: ignore[method-assign]
    done = uploads.complete_upload(now.services, "default", upload_id, {"part_ids": part_ids})
    assert done["status"] == "completed"
    sweep_later(now)
    assert (versions(), counted(now)) == ([len(LINES)], len(LINES))
    assert files.file_content(now.services, "default", done["file"]["id"]).data == LINES


def begun(world: World, data: bytes) -> tuple[str, list[str]]:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": len(data), "mime_type": "text/jsonl"}
    upload_id = uploads.create_upload(world.services, "default", body)["id"]
    form = httpx.Request("POST", "http://127.0.0.1", files={"data": ("upload", data)})
    part = uploads.add_part(world.services, "default", upload_id, form.headers["content-type"], form.read())
    return upload_id, [part["id"]]


def test_an_upload_that_is_cancelled_keeps_no_parts(now: World) -> None:
    upload_id, _ = begun(now, LINES)
    assert counted(now) == len(LINES)
    uploads.cancel_upload(now.services, "default", upload_id)
    assert (versions("work/uploads/"), counted(now)) == ([], 0)


def test_an_upload_that_is_completed_keeps_no_parts(now: World) -> None:
    upload_id, part_ids = begun(now, LINES)
    uploads.complete_upload(now.services, "default", upload_id, {"part_ids": part_ids})
    assert (versions("work/uploads/"), versions(), counted(now)) == ([], [len(LINES)], len(LINES))


def test_the_parts_of_an_upload_that_expired_are_counted_until_they_are_gone(now: World) -> None:
    begun(now, LINES)
    sweep_later(now)
    assert counted(now) == len(LINES)
    sweep_later(now, 2 * DAY)
    assert counted(now) == 0  # by then the bucket has removed them
