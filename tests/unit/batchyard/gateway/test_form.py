from http import HTTPStatus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.errors import ApiError
from batchyard.gateway.form import parse

KIND = "multipart/form-data; boundary=line"


def encoded(**parts: object) -> tuple[str, bytes]:
    """Encode a form as a client of OpenAI's does."""
    request = httpx.Request("POST", "http://127.0.0.1", files=parts)  # type: ignore[arg-type]
    return request.headers["content-type"], request.read()


@given(
    data=st.binary(max_size=300), name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
)
def test_a_file_comes_through_byte_by_byte_with_its_name(data: bytes, name: str) -> None:
    parts = parse(*encoded(file=(name, data, "application/octet-stream"), purpose=(None, "batch")))
    assert parts["file"].data == data
    assert parts["file"].filename is not None
    assert (parts["purpose"].text, parts["purpose"].filename) == ("batch", None)


def test_names_beyond_ascii_are_kept() -> None:
    assert parse(*encoded(file=("Übersetzung 📚.jsonl", b"x")))["file"].filename == "Übersetzung 📚.jsonl"


def test_parts_may_come_in_any_order() -> None:
    one = parse(*encoded(purpose=(None, "batch"), file=("a.jsonl", b"{}")))
    other = parse(*encoded(file=("a.jsonl", b"{}"), purpose=(None, "batch")))
    assert one == other


@pytest.mark.parametrize("text_first", [True, False])
def test_a_file_stands_against_a_text_of_its_name(*, text_first: bool) -> None:
    both = [("file", ("a.jsonl", b"{}")), ("file", (None, "file"))]
    request = httpx.Request("POST", "http://127.0.0.1", files=both[::-1] if text_first else both)  # type: ignore[arg-type]
    assert parse(request.headers["content-type"], request.read())["file"] == (b"{}", "a.jsonl")


def test_line_ends_inside_a_part_are_its_own() -> None:
    data = b"{}\r\n\r\n--lin\r\n--\n\r"
    body = b'--line\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + data + b"\r\n--line--\r\n"
    assert parse(KIND, body)["file"].data == data


@pytest.mark.parametrize(
    "kind", [None, "", "application/json", "text/plain; boundary=line", "multipart/mixed; boundary=line"]
)
def test_another_kind_of_body_is_refused(kind: str | None) -> None:
    with pytest.raises(ApiError) as refused:
        parse(kind, b"{}")
    assert refused.value.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--line\r\n"),
        (f"multipart/form-data; boundary={'x' * 5_000}", b""),
        (KIND, b""),
        (KIND, b"nonsense"),
        (KIND, b'--line\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf a file'),
        (KIND, b"--line\r\nno colon\r\n\r\n\r\n--line--\r\n"),
    ],
)
def test_a_broken_form_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        parse(kind, body)
    assert refused.value.status == HTTPStatus.BAD_REQUEST


@given(st.binary(max_size=200))
def test_a_body_that_is_no_form_is_refused_and_nothing_worse(body: bytes) -> None:
    with pytest.raises(ApiError):
        parse(KIND, b"--other\r\n" + body)
