from typing import Any

import pytest

from batchyard.api import files
from batchyard.api.file_rules import LARGEST_PUT, MOST_LINKS, SMALLEST_PART
from batchyard.api.presigned import LARGEST, presign_file
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
        ({"part_bytes": SMALLEST_PART - 1}, "invalid_value", "part_bytes"),
        ({"part_bytes": LARGEST_PUT + 1}, "invalid_value", "part_bytes"),
        ({"part_bytes": SMALLEST_PART, "bytes": SMALLEST_PART * MOST_LINKS + 1}, "invalid_value", "part_bytes"),
        ({"part_bytes": True}, "invalid_type", "part_bytes"),
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


PIECE = b"x" * SMALLEST_PART


def again(services: MemoryServices, file: dict[str, Any], tenant: str = "default") -> dict[str, Any]:
    return presign_file(services, tenant, {"file_id": file["id"]})


def sent(services: MemoryServices, file: dict[str, Any], number: int, data: bytes) -> None:
    services.file_bucket.sent[str(services.file_store.file(file["id"]).multipart_id)][number] = data


def test_the_owner_chooses_the_size_of_parts(services: MemoryServices) -> None:
    file = announced(services, 2 * SMALLEST_PART + 7, part_bytes=SMALLEST_PART)
    parts = file["upload"]["parts"]
    assert [(part["number"], part["bytes"]) for part in parts] == [(1, SMALLEST_PART), (2, SMALLEST_PART), (3, 7)]
    assert file["upload"]["headers"] == {}


def test_asked_again_the_addresses_are_those_of_the_parts_that_have_not_come(services: MemoryServices) -> None:
    file = announced(services, 2 * SMALLEST_PART + 7, part_bytes=SMALLEST_PART)
    sent(services, file, 1, PIECE)
    sent(services, file, 2, PIECE[1:])  # of another size: it counts as not there
    found = again(services, file)
    assert found["id"] == file["id"]
    assert [(part["number"], part["bytes"]) for part in found["upload"]["parts"]] == [(2, SMALLEST_PART), (3, 7)]
    assert found["upload"]["parts"] == file["upload"]["parts"][1:]


def test_asked_again_with_all_parts_there_the_file_is_whole(services: MemoryServices) -> None:
    file = announced(services, SMALLEST_PART + 7, part_bytes=SMALLEST_PART)
    sent(services, file, 1, PIECE)
    sent(services, file, 2, PIECE[:7])
    found = again(services, file)
    assert (found["status"], found["upload"]["parts"]) == ("processed", [])
    assert again(services, file)["upload"]["parts"] == []


def test_a_file_of_one_address_gets_a_new_address_that_lasts_longer(services: MemoryServices) -> None:
    file = announced(services)
    services.now_is += 3_000
    found = again(services, file)
    assert found["upload"]["parts"] == file["upload"]["parts"]
    assert found["upload"]["expires_at"] == file["upload"]["expires_at"] + 3_000
    assert services.file_store.file(file["id"]).link_until == found["upload"]["expires_at"]


def test_parts_that_were_removed_are_told_and_not_waited_for(services: MemoryServices) -> None:
    file = announced(services, SMALLEST_PART + 7, part_bytes=SMALLEST_PART)
    services.file_bucket.sent.clear()
    with pytest.raises(ApiError) as error:
        again(services, file)
    assert (error.value.status, error.value.code, error.value.param) == (409, "upload_expired", "file_id")


def test_nobody_gets_the_addresses_of_a_file_that_is_deleted_or_anothers(services: MemoryServices) -> None:
    file = announced(services)
    with pytest.raises(ApiError, match="No such File object"):
        again(services, file, "another")
    files.delete_file(services, "default", file["id"])
    with pytest.raises(ApiError, match="No such File object"):
        again(services, file)


def test_a_file_id_is_text(services: MemoryServices) -> None:
    with pytest.raises(ApiError, match="'file_id' must be a string"):
        presign_file(services, "default", {"file_id": 7})
