import io
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bridge.errors import BridgeError
from local.bridge.form import Form, boundary_of, receive

FILE = 'Content-Disposition: form-data; name="file"; filename="in.jsonl"'


def part(header: str, data: bytes) -> bytes:
    return b"--limit\r\n" + header.encode() + b"\r\n\r\n" + data + b"\r\n"


def text(name: str, value: str) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', value.encode())


def received(body: bytes, piece: int = 7) -> tuple[Form, bytes]:
    spool = io.BytesIO()
    pieces = (body[at : at + piece] for at in range(0, len(body), piece))
    return receive(pieces, b"limit", spool), spool.getvalue()


@pytest.mark.parametrize("file_first", [True, False])
def test_the_file_goes_to_disk_and_the_texts_are_kept(file_first: bool) -> None:
    parts = [part(FILE, b"{}\n"), text("purpose", "batch"), text("expires_after[seconds]", "3600")]
    form, data = received(b"".join(parts if file_first else parts[::-1]) + b"--limit--\r\n")
    assert (form.filename, data) == ("in.jsonl", b"{}\n")
    assert form.texts == {"purpose": "batch", "expires_after[seconds]": "3600"}


@given(st.binary(), st.integers(1, 50))
def test_the_bytes_of_the_file_are_not_changed(data: bytes, piece: int) -> None:
    data = data.replace(b"--limit", b"")
    assert received(part(FILE, data) + b"--limit--\r\n", piece)[1] == data


def test_a_text_of_the_same_name_changes_nothing() -> None:
    form, data = received(text("file", "") + part(FILE, b"{}") + text("file", "x") + b"--limit--\r\n")
    assert (form.filename, data) == ("in.jsonl", b"{}")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (part(FILE, b"{}"), "breaks off before its last boundary"),
        (b"nonsense", "could not be read"),
        (text("purpose", "batch") + b"--limit--\r\n", "Missing required parameter: 'file'"),
        (part(FILE, b"1") + part(FILE, b"2") + b"--limit--\r\n", "has two files"),
        (text("file", "x" * 70_000) + b"--limit--\r\n", "a file needs a filename"),
        (b"".join(text(f"name{n}", "x") for n in range(200)) + b"--limit--\r\n", "has too much text"),
    ],
)
def test_a_broken_form_is_refused_with_the_reason(body: bytes, why: str) -> None:
    with pytest.raises(BridgeError, match=why) as caught:
        received(body)
    assert caught.value.status == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/form-data; boundary="limit"', b"limit"),
        ("multipart/form-data; boundary=limit", b"limit"),
        ("multipart/form-data", None),
        ("application/json; boundary=limit", None),
        (None, None),
    ],
)
def test_a_boundary_makes_a_form(content_type: str | None, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary
