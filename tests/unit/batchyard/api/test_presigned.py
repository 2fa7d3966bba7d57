from typing import Any

import pytest

from batchyard.api import files
from batchyard.api.presigned import LARGEST, LARGEST_PUT, MOST_LINKS, SMALLEST_PART, presign_file
from batchyard.domain.errors import ApiError
from batchyard.domain.numbers import DAY
from tests.fakes.services import MemoryServices

LINES = b'{"custom_id": "1"}\n'


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def announced(services: MemoryServices, bytes: int | None = len(LINES), **members: Any) -> dict[str, Any]:  # noqa: A002 - a member of the body
    return presign_file(services, "default", {"filename": "in.jsonl", "purpose": "batch", "bytes": bytes, **members})


def key_of(file: dict[str, Any]) -> str:
    return f"files/default/{file['id']}"


def test_an_announced_file_is_shown_but_has_no_content_until_its_bytes_are_there(services: MemoryServices) -> None:
    file = announced(services)
    assert (file["object"], file["status"], file["bytes"]) == ("file", "uploaded", len(LINES))
    assert file["expires_at"] == file["created_at"] + 30 * DAY
    [part] = file["upload"]["parts"]
    assert (part["bytes"], file["upload"]["method"]) == (len(LINES), "PUT")
    assert file["upload"]["headers"] == {"If-None-Match": "*", "x-amz-tagging": "keep-days=30"}
    with pytest.raises(ApiError, match="not been uploaded yet"):
        files.file_content(services, "default", file["id"])
    assert files.input_of(services, "default", file["id"]) is None
    assert [
        each["id"]
        for each in files.list_files(services, "default", purpose=None, limit=None, order=None, after=None)["data"]
    ]


def test_a_packed_file_may_be_announced(services: MemoryServices) -> None:
    assert announced(services, filename="in.jsonl.gz")["filename"] == "in.jsonl.gz"


def test_a_file_is_whole_as_soon_as_its_bytes_are_there(services: MemoryServices) -> None:
    file = announced(services)
    services.bucket.put(key_of(file), LINES)
    source = files.input_of(services, "default", file["id"])
    assert source is not None
    assert source.size == len(LINES)
    assert files.retrieve_file(services, "default", file["id"])["status"] == "processed"
    assert files.file_content(services, "default", file["id"]).data == LINES


def test_another_number_of_bytes_is_not_the_file(services: MemoryServices) -> None:
    file = announced(services)
    services.bucket.put(key_of(file), LINES + b"more")
    assert files.retrieve_file(services, "default", file["id"])["status"] == "uploaded"


def test_a_file_that_stays_needs_no_tag(services: MemoryServices) -> None:
    assert announced(services, purpose="user_data", filename="a.bin")["upload"]["headers"] == {"If-None-Match": "*"}


def test_more_than_one_request_carries_goes_in_parts_and_is_joined_when_it_is_asked_for(
    services: MemoryServices,
) -> None:
    file = announced(services, LARGEST_PUT + 1)
    assert [part["bytes"] for part in file["upload"]["parts"]] == [1_000_000_000] * 5 + [1]
    assert len({part["url"] for part in file["upload"]["parts"]}) == 6
    assert (file["bytes"], file["true_bytes"]) == (2**31 - 1, LARGEST_PUT + 1)
    assert files.retrieve_file(services, "default", file["id"])["status"] == "uploaded"
    small = services.file_store.known[file["id"]] = services.file_store.change(file["id"], bytes=len(LINES))
    services.bucket.put(str(small.multipart_id), LINES)
    assert files.retrieve_file(services, "default", file["id"])["status"] == "processed"
    assert files.file_content(services, "default", file["id"]).data == LINES


def test_parts_have_the_size_that_the_caller_wishes(services: MemoryServices) -> None:
    file = announced(services, 20_000_000, part_bytes=8_000_000)
    assert [part["bytes"] for part in file["upload"]["parts"]] == [8_000_000, 8_000_000, 4_000_000]
    assert file["upload"]["headers"] == {}  # a part may be sent again
    [whole] = announced(services, 8_000_000, part_bytes=8_000_000)["upload"]["parts"]
    assert whole["bytes"] == 8_000_000


def test_parts_grow_where_there_would_be_too_many() -> None:
    parts = announced(MemoryServices(max_stored_bytes=0), 10**11, part_bytes=SMALLEST_PART)["upload"]["parts"]
    assert len(parts) == MOST_LINKS


@pytest.mark.parametrize("size", [SMALLEST_PART - 1, LARGEST_PUT + 1, "8", True, 1.5])
def test_a_part_that_s3_would_not_take_is_refused(services: MemoryServices, size: Any) -> None:
    with pytest.raises(ApiError) as caught:
        announced(services, 20_000_000, part_bytes=size)
    assert caught.value.param == "part_bytes"
    assert not services.file_store.known


def test_the_largest_file_has_as_many_links_as_an_answer_holds() -> None:
    parts = announced(MemoryServices(max_stored_bytes=0), LARGEST)["upload"]["parts"]
    assert len(parts) == MOST_LINKS
    assert sum(part["bytes"] for part in parts) == LARGEST


@pytest.mark.parametrize(
    ("members", "code", "param"),
    [
        ({"bytes": LARGEST + 1}, "integer_above_max_value", "bytes"),
        ({"bytes": 0}, "integer_below_min_value", "bytes"),
        ({"bytes": None}, "missing_required_parameter", "bytes"),
        ({"filename": "in.txt"}, None, None),
        ({"filename": None}, "missing_required_parameter", "filename"),
        ({"purpose": "all"}, "invalid_value", "purpose"),
    ],
)
def test_what_would_be_refused_of_an_upload_is_refused(
    services: MemoryServices, members: dict[str, Any], code: str | None, param: str | None
) -> None:
    with pytest.raises(ApiError) as error:
        announced(services, **members)
    assert (error.value.status, error.value.code, error.value.param) == (400, code, param)
    assert services.file_store.known == {}


def test_a_file_deleted_before_its_bytes_came_stays_away(services: MemoryServices) -> None:
    file = announced(services)
    files.delete_file(services, "default", file["id"])
    services.bucket.put(key_of(file), LINES)
    with pytest.raises(ApiError, match="No such File object"):
        files.retrieve_file(services, "default", file["id"])
