import io
from email.message import Message
from http import HTTPStatus

import pytest

from local.bridge.errors import BridgeError, CallerGone
from local.bridge.request_body import CHUNK, body_of


def headers(**given: str) -> Message:
    message = Message()
    for name, value in given.items():
        message[name.replace("_", "-")] = value
    return message


def read(data: bytes, **given: str) -> bytes:
    return b"".join(body_of(io.BytesIO(data), headers(**given)))


def test_a_body_ends_where_its_length_says() -> None:
    stream = io.BytesIO(b"abcGET /next")
    assert b"".join(body_of(stream, headers(content_length="3"))) == b"abc"
    assert stream.read() == b"GET /next"


def test_a_request_without_a_length_has_no_body() -> None:
    body = body_of(io.BytesIO(b"GET /next"), headers())
    assert (body.length, body.ended, list(body)) == (0, True, [])


def test_chunks_are_joined_and_their_trailers_are_read() -> None:
    stream = io.BytesIO(b"3\r\nabc\r\n2;name=value\r\nde\r\n0\r\nx-sum: 1\r\n\r\nGET /next")
    assert b"".join(body_of(stream, headers(transfer_encoding="chunked"))) == b"abcde"
    assert stream.read() == b"GET /next"


def test_a_large_body_comes_in_pieces() -> None:
    data = bytes(3 * CHUNK + 1)
    for given in ({"content_length": str(len(data))}, {"transfer_encoding": "chunked"}):
        sent = data if "content_length" in given else b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
        assert [len(piece) for piece in body_of(io.BytesIO(sent), headers(**given))] == [CHUNK, CHUNK, CHUNK, 1]


@pytest.mark.parametrize("size", [0, 1, 10, 11])
def test_the_start_is_the_whole_body_if_it_is_small(size: int) -> None:
    body = body_of(io.BytesIO(bytes(size)), headers(content_length=str(size)))
    assert body.start(10) == bytes(size)
    assert body.ended == (size <= 10)


@pytest.mark.parametrize(
    ("data", "given"),
    [
        (b"ab", {"content_length": "3"}),
        (b"3\r\nab", {"transfer_encoding": "chunked"}),
        (b"3\r\nabc\r\n", {"transfer_encoding": "chunked"}),
        (b"3", {"transfer_encoding": "chunked"}),
    ],
)
def test_a_body_that_breaks_off_is_never_whole(data: bytes, given: dict[str, str]) -> None:
    body = body_of(io.BytesIO(data), headers(**given))
    with pytest.raises(CallerGone):
        list(body)
    assert not body.ended


@pytest.mark.parametrize(
    ("data", "given"),
    [
        (b"abc", {"content_length": "3", "transfer_encoding": "chunked"}),
        (b"abc", {"content_length": "-3"}),
        (b"abc", {"content_length": "3.0"}),
        (b"abc", {"content_length": "٣"}),
        (b"abc", {"transfer_encoding": "gzip"}),
        (b"z\r\nabc\r\n0\r\n\r\n", {"transfer_encoding": "chunked"}),
        (b"-3\r\nabc\r\n0\r\n\r\n", {"transfer_encoding": "chunked"}),
        (b"0\r\n" + b"a: b\r\n" * 1_000, {"transfer_encoding": "chunked"}),
    ],
)
def test_a_body_whose_end_is_unclear_is_refused(data: bytes, given: dict[str, str]) -> None:
    with pytest.raises(BridgeError) as caught:
        read(data, **given)
    assert caught.value.status == HTTPStatus.BAD_REQUEST
