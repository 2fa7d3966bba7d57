import gzip
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from batchyard.api import files
from batchyard.api.files import MOST_IN_FORM, MOST_INLINE
from batchyard.domain.errors import ApiError
from batchyard.domain.numbers import DAY
from batchyard.domain.stored_file import LINK_LIFE
from tests.fakes.services import MemoryServices

LINES = '{"custom_id": "ü"}\r\n{"custom_id": "2"}\n'.encode()


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def form(data: bytes = LINES, name: str = "in.jsonl", purpose: str = "batch", **texts: str) -> tuple[str, bytes]:
    parts: dict[str, Any] = {"purpose": (None, purpose), "file": (name, data)}
    parts |= {key: (None, text) for key, text in texts.items()}
    request = httpx.Request("POST", "http://127.0.0.1", files=parts)
    return request.headers["content-type"], request.read()


def create(services: MemoryServices, *arguments: Any, tenant: str = "default", **named: Any) -> dict[str, Any]:
    services.now_is += 1
    return files.create_file(services, tenant, *form(*arguments, **named))


def listed(services: MemoryServices, tenant: str = "default", **asked: str) -> dict[str, Any]:
    wanted = {name: asked.get(name) for name in ("purpose", "limit", "order", "after")}
    return files.list_files(services, tenant, **wanted)


def refused(call: Any, *arguments: Any, **named: Any) -> tuple[int, str | None, str | None]:
    with pytest.raises(ApiError) as error:
        call(*arguments, **named)
    return error.value.status, error.value.code, error.value.param


def test_a_file_is_stored_as_it_came(services: MemoryServices) -> None:
    made = create(services)
    assert (made["object"], made["bytes"], made["filename"], made["purpose"], made["status"]) == (
        "file", len(LINES), "in.jsonl", "batch", "processed",
    )  # fmt: skip
    assert made["expires_at"] == made["created_at"] + 30 * DAY
    assert files.retrieve_file(services, "default", made["id"]) == made
    assert files.file_content(services, "default", made["id"]).data == LINES
    assert services.bucket.stored == {f"files/default/{made['id']}": LINES}


def test_a_life_may_come_as_one_part_of_json_as_generated_clients_send_it(services: MemoryServices) -> None:
    made = create(services, expires_after='{"anchor":"created_at","seconds":7200}')
    assert made["expires_at"] == made["created_at"] + 7_200
    assert list(services.file_bucket.lives.values()) == [7_200]


def test_a_file_of_an_hour_is_gone_after_it_and_its_object_a_day_later(services: MemoryServices) -> None:
    made = create(services, **{"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"})
    assert list(services.file_bucket.lives.values()) == [3_600]
    services.wait(3_600)
    for call in (files.retrieve_file, files.file_content, files.delete_file):
        assert refused(call, services, "default", made["id"]) == (404, None, "id")
    assert listed(services)["data"] == []


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ({"name": "in.txt"}, (400, None, None)),
        ({"purpose": "everything"}, (400, "invalid_value", "purpose")),
        ({"data": b""}, (400, None, None)),
        ({"data": b"not json\n"}, (400, None, None)),
        ({"expires_after[seconds]": "3600"}, (400, "invalid_value", "expires_after.anchor")),
        # What generated Ruby and Dart make of an object in a form: nothing is kept longer than was asked, unsaid.
        ({"expires_after": '{:anchor=>"created_at", :seconds=>3600}'}, (400, "invalid_type", "expires_after")),
        ({"expires_after": "ExpiresAfter[anchor=created_at, seconds=3600]"}, (400, "invalid_type", "expires_after")),
        ({"expires_after": "[" * 100_000}, (400, "invalid_type", "expires_after")),
        ({"expires_after": '{"anchor": "created_at"}'}, (400, "invalid_type", "expires_after.seconds")),
    ],
)
def test_what_openai_refuses_at_once_is_not_stored(
    services: MemoryServices, parts: dict[str, Any], answer: tuple[int, str | None, str | None]
) -> None:
    assert refused(create, services, **parts) == answer
    assert services.bucket.stored == {}


@pytest.mark.parametrize("name", ["in.jsonl.gz", "in.jsonl"])
def test_a_packed_file_is_stored_as_it_is(services: MemoryServices, name: str) -> None:
    packed = gzip.compress(LINES)
    made = create(services, packed, name=name)
    assert (made["filename"], made["bytes"]) == (name, len(packed))
    assert files.file_content(services, "default", made["id"]).data == packed


@pytest.mark.parametrize("left_out", ["file", "purpose"])
def test_a_form_without_a_part_is_refused_by_its_name(services: MemoryServices, left_out: str) -> None:
    parts = {"purpose": (None, "batch"), "file": ("in.jsonl", LINES)}
    del parts[left_out]
    request = httpx.Request("POST", "http://127.0.0.1", files=parts)  # type: ignore[arg-type]
    answer = refused(files.create_file, services, "default", request.headers["content-type"], request.read())
    assert answer == (400, "missing_required_parameter", left_out)


@pytest.mark.parametrize(
    ("disposition", "kept"),
    [('; filename="upload"', "upload"), ('; filename="file"', "file"), ('; filename=""', "upload"), ("", "upload")],
)
@pytest.mark.parametrize("data", [LINES, gzip.compress(LINES)], ids=["plain", "packed"])
def test_bytes_are_taken_as_clients_send_them(
    services: MemoryServices, disposition: str, kept: str, data: bytes
) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    head += f'--x\r\nContent-Disposition: form-data; name="file"{disposition}\r\n\r\n'.encode()
    body = head + data + b"\r\n--x--\r\n"
    made = files.create_file(services, "default", "multipart/form-data; boundary=x", body)
    assert (made["filename"], made["bytes"]) == (kept, len(data))
    assert files.file_content(services, "default", made["id"]).data == data


def test_a_path_where_the_file_belongs_is_no_file(services: MemoryServices) -> None:
    parts = {"purpose": (None, "batch"), "file": (None, "mine.jsonl")}  # as by curl -F file=mine.jsonl, without the @
    request = httpx.Request("POST", "http://127.0.0.1", files=parts)
    answer = refused(files.create_file, services, "default", request.headers["content-type"], request.read())
    assert answer == (400, "missing_required_parameter", "file")
    with pytest.raises(ApiError, match="without a filename"):
        files.create_file(services, "default", request.headers["content-type"], request.read())


def test_more_than_a_form_carries_is_refused_with_the_way_for_it(services: MemoryServices) -> None:
    with pytest.raises(ApiError, match="Uploads API") as error:
        create(services, data=b"{}\n" + b" " * MOST_IN_FORM)
    assert error.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_what_a_form_carries_fits_what_lambda_takes_and_answers_in_base64() -> None:
    base64_of_it, headers, lambda_takes = MOST_IN_FORM * 4 / 3, 20_000, 6 * 2**20
    assert base64_of_it + headers < lambda_takes
    assert MOST_INLINE * 4 / 3 + headers < lambda_takes


def test_a_large_file_is_elsewhere(services: MemoryServices) -> None:
    made = create(services, b"{}\n" + b"x" * MOST_INLINE)
    assert str(files.file_content(services, "default", made["id"]).url).endswith(f"/files/default/{made['id']}")


def test_lists_go_both_ways_in_pages(services: MemoryServices) -> None:
    made = [create(services)["id"] for _ in range(5)]
    first = listed(services, limit="2")
    assert [each["id"] for each in first["data"]] == made[:2:-1]
    assert (first["first_id"], first["last_id"], first["has_more"]) == (made[4], made[3], True)
    last = listed(services, limit="3", after=first["last_id"])
    assert ([each["id"] for each in last["data"]], last["has_more"]) == (made[2::-1], False)
    assert [each["id"] for each in listed(services, order="asc", after=made[2])["data"]] == made[3:]


def test_a_list_of_nothing_decodes_everywhere(services: MemoryServices) -> None:
    create(services)
    assert listed(services, limit="0") == {
        "object": "list",
        "data": [],
        "first_id": "",
        "last_id": "",
        "has_more": False,
    }


def test_a_list_goes_on_behind_a_file_that_was_deleted(services: MemoryServices) -> None:
    made = [create(services)["id"] for _ in range(4)]
    page = listed(services, limit="2")
    for each in page["data"]:
        files.delete_file(services, "default", each["id"])
    assert [each["id"] for each in listed(services, after=page["last_id"])["data"]] == made[1::-1]


def test_a_list_shows_one_purpose_and_one_tenant(services: MemoryServices) -> None:
    mine, picture = create(services)["id"], create(services, name="a.png", purpose="vision")["id"]
    create(services, tenant="other")
    assert [each["id"] for each in listed(services, purpose="vision")["data"]] == [picture]
    assert [each["id"] for each in listed(services)["data"]] == [picture, mine]


def test_a_list_that_would_not_fit_an_answer_ends_early_and_says_so(services: MemoryServices) -> None:
    for number in range(1_700):
        create(services, name="ü" * 260 + f"{number}.jsonl")
    page = listed(services)
    assert page["has_more"]
    assert 1_000 < len(page["data"]) < 1_700


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"limit": "10001"}, "integer_above_max_value", "limit"),
        ({"limit": "-1"}, "integer_below_min_value", "limit"),
        ({"limit": "many"}, "invalid_type", "limit"),
        ({"order": "sideways"}, "invalid_value", "order"),
    ],
)
def test_a_list_out_of_bounds_is_refused(
    services: MemoryServices, asked: dict[str, str], code: str, param: str
) -> None:
    assert refused(listed, services, **asked) == (400, code, param)


def test_a_deleted_file_is_gone(services: MemoryServices) -> None:
    made = create(services)
    assert files.delete_file(services, "default", made["id"]) == {"id": made["id"], "object": "file", "deleted": True}
    for call in (files.retrieve_file, files.file_content, files.delete_file):
        assert refused(call, services, "default", made["id"]) == (404, None, "id")
    assert services.bucket.stored == {}
    assert listed(services)["data"] == []


def test_another_tenant_s_file_is_not_there(services: MemoryServices) -> None:
    made = create(services, tenant="other")
    for call in (files.retrieve_file, files.file_content, files.delete_file):
        assert refused(call, services, "default", made["id"]) == (404, None, "id")
    assert refused(listed, services, after=made["id"]) == (404, None, "id")
    assert files.input_of(services, "default", made["id"]) is None


def test_only_a_batch_s_input_can_be_one(services: MemoryServices) -> None:
    batch, picture = create(services), create(services, name="a.png", purpose="vision")
    source = files.input_of(services, "default", batch["id"])
    assert source is not None
    assert (source.key, source.size, source.version_id) == (f"files/default/{batch['id']}", len(LINES), "v1")
    assert files.input_of(services, "default", picture["id"]) is None
    assert files.input_of(services, "default", "file-unknown") is None
    services.wait(31 * DAY)
    assert files.input_of(services, "default", batch["id"]) is None


def test_a_link_leads_to_the_bytes_of_a_file_of_any_size_for_an_hour(services: MemoryServices) -> None:
    made = create(services)
    link = files.file_link(services, "default", made["id"])
    assert (link["object"], link["filename"], link["bytes"]) == ("file.link", made["filename"], made["bytes"])
    assert link["url"].endswith(f"/files/default/{made['id']}")
    assert link["expires_at"] == services.now() + LINK_LIFE


def test_there_is_no_link_to_what_is_not_there_or_another_tenant_s(services: MemoryServices) -> None:
    made = create(services)
    for tenant, file_id in (("acme", made["id"]), ("default", f"file-{'0' * 22}")):
        with pytest.raises(ApiError) as caught:
            files.file_link(services, tenant, file_id)
        assert caught.value.status == HTTPStatus.NOT_FOUND
