"""One line of a batch in Mistral's shape: no byte of an id or a body is changed, and the length is known beforehand."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_client import SourceError
from batch_client.dialects.mistral_lines import Requests, encode
from batch_client.sources import BytesSource

TEXT = st.text(max_size=20)
BODIES = st.recursive(
    TEXT | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)  # fmt: skip


def line_of(custom_id: str, body: Any, **odd: Any) -> bytes:
    line = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body, **odd}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


class Torn:
    """A source whose chunks end anywhere."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = data, size

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[bytes]:
        return (self._data[at : at + self._size] for at in range(0, len(self._data), self._size))


@given(st.lists(st.tuples(TEXT, BODIES), min_size=1, max_size=5), st.integers(1, 70), st.booleans())
def test_each_request_has_the_id_and_the_body_of_its_line_and_is_as_long(
    wanted: list[tuple[str, Any]], size: int, ended: bool
) -> None:
    data = b"".join(line_of(custom_id, body) for custom_id, body in wanted)
    data = data if ended else data[:-1]
    requests = Requests(Torn(data, size))
    sent = b"".join(requests)
    assert len(sent) == len(requests) == len(data)
    assert [json.loads(each) for each in sent.splitlines()] == [
        {"custom_id": custom_id, "body": body} for custom_id, body in wanted
    ]
    assert b"".join(requests) == sent, "an upload may begin anew"


def test_bytes_of_the_body_stay_as_they_are() -> None:
    body = b'{"z":1.50, "a": "\\u00e9", "big": 123456789012345678901234567890}'
    line = b'{"body" : ' + body + b',"custom_id":"a\\/b","url":"/v1/x","method":"POST"}\r\n'
    assert encode(line, 1) == b'{"custom_id":"a\\/b","body":' + body + b"}"
    assert b"".join(Requests(BytesSource(line))).endswith(b" \r\n")


@pytest.mark.parametrize("line", [b"no JSON\n", b'{"custom_id":"a"}\n', b"[]\n", b"\n", b'{"body":{}}\n', b"[" * 9999])
def test_a_line_that_is_no_request_ends_the_upload_with_its_number(line: bytes) -> None:
    with pytest.raises(SourceError, match="Line 2 "):
        b"".join(Requests(BytesSource(line_of("a", {}) + line)))


def test_the_shortest_line_there_is_has_room_for_its_request() -> None:
    line = b'{"body":1,"custom_id":2}\n'
    assert b"".join(Requests(BytesSource(line))) == b'{"custom_id":2,"body":1}\n'


def test_the_memory_of_an_upload_does_not_grow_with_its_lines() -> None:
    def peak(count: int) -> int:
        requests = Requests(Torn(line_of("a", {"text": "x" * 900}) * count, 65_536))
        tracemalloc.start()
        size = sum(map(len, requests))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert size == len(requests)
        return most

    assert peak(4_000) < peak(500) * 1.5
