import gzip
import hashlib
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
import pytest

from batchyard.adapters.object_join import ObjectJoin
from batchyard.api import files, uploads
from batchyard.api.files import MOST_IN_FORM
from batchyard.api.presigned import presign_file
from batchyard.api.uploads import MOST_JOINED
from batchyard.domain.errors import ApiError
from batchyard.domain.multipart_upload import LIFE, MOST_OFTEN, MOST_PARTS, StoredUpload
from batchyard.domain.numbers import DAY
from tests.fakes.services import MemoryServices

PIECES = [b'{"custom_id": "1"}\n{"cus', b'tom_id": "\xc3', b"\xbc", b'"}\n']
WHOLE = b"".join(PIECES)


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def create(services: MemoryServices, tenant: str = "default", **members: Any) -> dict[str, Any]:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": len(WHOLE), "mime_type": "text/jsonl", **members}
    return uploads.create_upload(services, tenant, {name: value for name, value in body.items() if value is not None})


def add(services: MemoryServices, upload_id: str, data: bytes, tenant: str = "default", name: str = "data") -> str:
    form = httpx.Request("POST", "http://127.0.0.1", files={name: ("upload", data)})
    part = uploads.add_part(services, tenant, upload_id, form.headers["content-type"], form.read())
    assert (part["object"], part["upload_id"]) == ("upload.part", upload_id)
    return str(part["id"])


def whole(services: MemoryServices, **members: Any) -> tuple[str, list[str]]:
    upload_id = create(services, **members)["id"]
    return upload_id, [add(services, upload_id, piece) for piece in PIECES]


def complete(
    services: MemoryServices, upload_id: str, part_ids: object, tenant: str = "default", **members: Any
) -> dict[str, Any]:
    return uploads.complete_upload(services, tenant, upload_id, {"part_ids": part_ids, **members})


def refused(call: Any, *arguments: Any, **named: Any) -> tuple[int, str | None, str | None]:
    with pytest.raises(ApiError) as error:
        call(*arguments, **named)
    return error.value.status, error.value.code, error.value.param


def test_an_upload_begins_pending_with_every_member(services: MemoryServices) -> None:
    made = create(services)
    assert made == {
        "id": made["id"], "object": "upload", "bytes": len(WHOLE), "created_at": services.now(), "filename": "in.jsonl",
        "purpose": "batch", "status": "pending", "expires_at": services.now() + LIFE, "file": None,
    }  # fmt: skip


def test_the_order_of_the_ids_is_the_order_of_the_bytes(services: MemoryServices) -> None:
    upload_id = create(services)["id"]
    last_first = [add(services, upload_id, piece) for piece in reversed(PIECES)]
    done = complete(
        services, upload_id, last_first[::-1], md5=hashlib.md5(WHOLE, usedforsecurity=False).hexdigest().upper()
    )
    assert (done["status"], done["file"]["bytes"], done["file"]["filename"]) == ("completed", len(WHOLE), "in.jsonl")
    assert files.file_content(services, "default", done["file"]["id"]).data == WHOLE
    assert files.input_of(services, "default", done["file"]["id"]) is not None


def test_the_file_lives_as_long_as_was_asked_for(services: MemoryServices) -> None:
    done = complete(services, *whole(services, expires_after={"anchor": "created_at", "seconds": 7_200}))
    assert done["file"]["expires_at"] == done["file"]["created_at"] + 7_200
    assert complete(services, *whole(services))["file"]["expires_at"] == services.now() + 30 * DAY
    assert list(services.file_bucket.lives.values())[-1] == 30 * DAY


def test_completed_again_it_is_the_same_file(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)
    assert complete(services, upload_id, part_ids) == complete(services, upload_id, part_ids)
    assert len(services.file_store.known) == 1


def test_a_call_that_died_before_the_end_is_simply_made_again(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)
    pending = services.upload_store.known[upload_id]
    done = complete(services, upload_id, part_ids)
    (kept,) = services.file_store.known.values()
    services.upload_store.known[upload_id] = pending
    services.wait(60)
    assert complete(services, upload_id, part_ids) == done
    assert list(services.file_store.known.values()) == [kept]
    assert (
        services.bucket.head(kept.key)[0].version_id == kept.version_id
    )  # an older one would be removed after WorkDays


@pytest.mark.parametrize(
    ("members", "code", "param"),
    [
        ({"filename": None}, "missing_required_parameter", "filename"),
        ({"filename": "in.csv"}, None, None),
        ({"purpose": None}, "missing_required_parameter", "purpose"),
        ({"purpose": "batch_output"}, "invalid_value", "purpose"),
        ({"bytes": None}, "missing_required_parameter", "bytes"),
        ({"bytes": "5"}, "invalid_type", "bytes"),
        ({"bytes": True}, "invalid_type", "bytes"),
        ({"bytes": 0}, "integer_below_min_value", "bytes"),
        ({"bytes": MOST_JOINED + 1}, "integer_above_max_value", "bytes"),
        ({"mime_type": None}, "missing_required_parameter", "mime_type"),
        ({"mime_type": {}}, "invalid_type", "mime_type"),
        ({"expires_after": {"anchor": "created_at", "seconds": 5}}, "integer_below_min_value", "expires_after.seconds"),
    ],
)
def test_what_openai_would_not_take_is_refused(
    services: MemoryServices, members: dict[str, Any], code: str | None, param: str | None
) -> None:
    assert refused(create, services, **members) == (400, code, param)


def test_what_a_tenant_may_not_store_is_refused_before_it_is_sent() -> None:
    services = MemoryServices(max_stored_bytes=100)
    announced = {"filename": "in.jsonl", "purpose": "batch", "bytes": 101}
    assert refused(create, services, bytes=101) == (403, "storage_limit_exceeded", None)
    assert refused(presign_file, services, "default", announced) == (403, "storage_limit_exceeded", None)
    assert create(services, bytes=100)["status"] == "pending"


def test_what_is_no_object_is_refused(services: MemoryServices) -> None:
    assert refused(uploads.create_upload, services, "default", [])[0] == 400
    upload_id, _ = whole(services)
    assert refused(uploads.complete_upload, services, "default", upload_id, [])[1] == "missing_required_parameter"


def test_too_much_for_one_upload_or_part_is_refused_with_the_way_for_it(services: MemoryServices) -> None:
    with pytest.raises(ApiError, match="/v1/uploads/presign"):
        create(services, bytes=MOST_JOINED + 1)
    with pytest.raises(ApiError, match="part_size=4_000_000") as error:
        add(services, create(services)["id"], b"x" * MOST_IN_FORM)
    assert error.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_an_upload_takes_each_part_twice_and_then_no_more(services: MemoryServices) -> None:
    upload_id = create(services)["id"]
    twice = [add(services, upload_id, piece) for piece in (*PIECES, *PIECES)]
    assert refused(add, services, upload_id, b"x") == (400, None, "data")
    assert len([key for key in services.bucket.stored if key.startswith("work/uploads/")]) == 8
    assert complete(services, upload_id, twice[4:])["status"] == "completed"


def test_an_upload_takes_so_many_parts_however_small(services: MemoryServices) -> None:
    upload_id = create(services, bytes=MOST_JOINED)["id"]
    known = services.upload_store.known
    known[upload_id] = msgspec.structs.replace(known[upload_id], parts=MOST_OFTEN * MOST_PARTS - 1, received=9)
    add(services, upload_id, b"x")
    with pytest.raises(ApiError, match="2000 parts of 10 bytes"):
        add(services, upload_id, b"x")


def test_a_part_is_called_data(services: MemoryServices) -> None:
    assert refused(add, services, create(services)["id"], b"x", name="file") == (
        400,
        "missing_required_parameter",
        "data",
    )


@pytest.mark.parametrize(
    ("part_ids", "code"),
    [
        (None, "missing_required_parameter"),
        ("part_1", "invalid_type"),
        ([1], "invalid_type"),
        (["part_of_nothing"], None),
        (["part_1"] * (MOST_PARTS + 1), "array_above_max_length"),
        ([], None),
    ],
)
def test_parts_that_are_none_are_refused(services: MemoryServices, part_ids: object, code: str | None) -> None:
    upload_id, _ = whole(services)
    assert refused(complete, services, upload_id, part_ids) == (400, code, "part_ids")


def test_parts_must_sum_up_to_what_was_announced(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)
    assert refused(complete, services, upload_id, part_ids[:-1]) == (400, None, "part_ids")
    assert refused(complete, services, upload_id, [*part_ids, part_ids[0]]) == (400, None, "part_ids")
    assert complete(services, upload_id, part_ids)["status"] == "completed"


def test_parts_of_another_upload_are_none_of_this(services: MemoryServices) -> None:
    (one, _), (_, others) = whole(services), whole(services)
    assert refused(complete, services, one, others) == (400, None, "part_ids")


def test_a_wrong_digest_or_first_line_leaves_no_file(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)
    assert refused(complete, services, upload_id, part_ids, md5="0" * 32) == (400, None, "md5")
    assert refused(complete, services, upload_id, part_ids, md5=7) == (400, "invalid_type", "md5")
    other = create(services, bytes=8)["id"]
    assert refused(complete, services, other, [add(services, other, b"not json")]) == (400, None, None)
    assert services.file_store.known == {}
    assert not [key for key in services.bucket.stored if key.startswith("files/")]
    assert complete(services, upload_id, part_ids)["status"] == "completed"


def test_a_packed_file_is_joined_as_it_is(services: MemoryServices) -> None:
    packed = gzip.compress(WHOLE)
    upload_id = create(services, filename="in.jsonl.gz", bytes=len(packed))["id"]
    done = complete(services, upload_id, [add(services, upload_id, packed)])
    assert (done["status"], done["file"]["filename"], done["file"]["bytes"]) == (
        "completed",
        "in.jsonl.gz",
        len(packed),
    )


def test_an_hour_later_it_takes_nothing_more(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)
    services.wait(LIFE)
    for call in (lambda: add(services, upload_id, b"x"), lambda: complete(services, upload_id, part_ids)):
        with pytest.raises(ApiError, match="is expired"):
            call()


def test_a_cancelled_one_takes_nothing_more_and_a_completed_one_stays(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)
    assert uploads.cancel_upload(services, "default", upload_id)["status"] == "cancelled"
    assert uploads.cancel_upload(services, "default", upload_id)["status"] == "cancelled"
    with pytest.raises(ApiError, match="is cancelled"):
        complete(services, upload_id, part_ids)
    done = complete(services, *whole(services))
    with pytest.raises(ApiError, match="is completed"):
        uploads.cancel_upload(services, "default", done["id"])
    with pytest.raises(ApiError, match="is completed"):
        add(services, done["id"], b"x")


def test_one_cancelled_while_it_is_joined_leaves_no_file(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)
    services.upload_store.meanwhile = lambda: uploads.cancel_upload(services, "default", upload_id)
    with pytest.raises(ApiError, match="is cancelled"):
        complete(services, upload_id, part_ids)
    assert not [key for key in services.bucket.stored if key.startswith("files/")]
    assert files.list_files(services, "default", purpose=None, limit=None, order=None, after=None)["data"] == []


def test_two_completions_at_once_make_one_file(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)

    def overtake() -> None:
        services.upload_store.meanwhile = lambda: None
        complete(services, upload_id, part_ids)

    services.upload_store.meanwhile = overtake
    assert complete(services, upload_id, part_ids)["status"] == "completed"
    assert len(services.file_store.known) == 1


def test_two_completions_and_a_cancel_at_once_leave_no_file_and_are_answered(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)
    end = services.upload_store.end

    def after_the_other(upload_id: str, status: str) -> StoredUpload:
        services.upload_store.end = after_the_cancel  # type: ignore[method-assign]
        with pytest.raises(ApiError, match="is cancelled"):
            complete(services, upload_id, part_ids)
        return end(upload_id, status)

    def after_the_cancel(upload_id: str, status: str) -> StoredUpload:
        services.upload_store.end = end  # type: ignore[method-assign]
        uploads.cancel_upload(services, "default", upload_id)
        return end(upload_id, status)

    services.upload_store.end = after_the_other  # type: ignore[method-assign]
    with pytest.raises(ApiError, match="is cancelled"):
        complete(services, upload_id, part_ids)
    assert not [key for key, data in services.bucket.stored.items() if data]
    assert files.list_files(services, "default", purpose=None, limit=None, order=None, after=None)["data"] == []


def test_parts_that_another_completion_has_removed_are_no_error(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)
    join = services.file_bucket.join

    def overtaken(key: str, life: int | None) -> ObjectJoin:
        services.file_bucket.join = join  # type: ignore[method-assign]
        complete(services, upload_id, part_ids)
        return join(key, life)

    services.file_bucket.join = overtaken  # type: ignore[method-assign]
    done = complete(services, upload_id, part_ids)
    assert (done["status"], files.file_content(services, "default", done["file"]["id"]).data) == ("completed", WHOLE)


def test_a_part_that_is_under_way_while_an_upload_ends_is_counted(services: MemoryServices) -> None:
    upload_id = create(services)["id"]
    put = services.file_bucket.put

    def meanwhile(key: str, data: bytes, life: int | None) -> str | None:
        services.file_bucket.put = put  # type: ignore[method-assign]
        uploads.cancel_upload(services, "default", upload_id)
        return put(key, data, life)

    services.file_bucket.put = meanwhile  # type: ignore[method-assign]
    add(services, upload_id, WHOLE)
    (stored,) = services.upload_store.stored("default", services.now())
    assert stored.bytes_at(services.now()) == len(WHOLE)
    assert services.quota_store.read("default").bytes == len(WHOLE)


def test_another_tenant_s_upload_is_not_there(services: MemoryServices) -> None:
    upload_id, part_ids = whole(services)
    assert refused(add, services, upload_id, b"x", tenant="other") == (404, None, "id")
    assert refused(complete, services, upload_id, part_ids, tenant="other") == (404, None, "id")
    assert refused(uploads.cancel_upload, services, "other", upload_id) == (404, None, "id")
    for other in ("upload_0", "upload_ü", "", "x" * 3_000):
        assert refused(uploads.cancel_upload, services, "default", other) == (404, None, "id")
