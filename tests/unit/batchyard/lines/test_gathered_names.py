"""Requests of a gathered batch go under our names, and their answers come back under their own."""

import json
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.lines.byte_ranges import ByteRanges
from batchyard.lines.gathered_names import GROWTH, NamedRequests, Names, given_back, name_of, named
from batchyard.lines.line import parse
from tests.fakes.bucket import MemoryBucket
from tests.fakes.lines import good, jsonl, request

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def test_a_name_is_a_number_without_zeros_before_it_and_all_are_equally_long() -> None:
    names = Names(array("Q", [0, 7, 10**10]))
    assert list(names) == [name_of(0), "100000000007", "110000000000"] == names[0:3]
    assert {len(name) for name in names} == {GROWTH + 1}
    assert all(str(int(name)) == name for name in names)


@given(TEXT, st.sampled_from([True, False]), st.sampled_from(["", "\r", "  "]), st.booleans())
def test_a_line_stays_as_it_is_but_for_its_name_and_blanks(custom_id: str, ascii_: bool, end: str, dense: bool) -> None:
    asked = {**request(custom_id, messages="“ü”", n=1e3), "tag": [1, {"a": None}]}
    separators = (",", ":") if dense else None
    line = json.dumps(asked, ensure_ascii=ascii_, separators=separators).encode() + end.encode() + b"\n"
    sent = named(line, 42)
    assert len(sent) == len(line) + GROWTH
    assert sent.endswith(b"\n")
    assert json.loads(sent) == {**asked, "custom_id": name_of(42)}
    assert parse(sent).custom_id == name_of(42)


def test_the_shortest_line_there_is_has_room_for_its_name() -> None:
    line = b'{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"m"}}\n'
    assert json.loads(named(line, 10**10))["custom_id"] == name_of(10**10)
    assert len(named(line, 0)) == len(line) + GROWTH


def test_the_body_has_the_length_that_it_says_and_can_be_read_again() -> None:
    bucket, data = MemoryBucket(chunk=17), jsonl([request(f"r{at}") for at in range(9)])
    bucket.put("k", data)
    source = bucket.head("k")[0]
    body = NamedRequests(ByteRanges(bucket, source, [(0, len(data))]), range(5, 14))
    for _ in range(2):
        sent = b"".join(body)
        assert len(sent) == len(body)
        assert [json.loads(line)["custom_id"] for line in sent.splitlines()] == [name_of(at) for at in range(5, 14)]


@given(TEXT)
def test_an_answer_is_that_of_a_run_of_its_own_byte_for_byte(custom_id: str) -> None:
    own = good("own").replace(
        b'"custom_id": "own"', b'"custom_id": ' + json.dumps(custom_id, ensure_ascii=False).encode()
    )
    assert json.loads(own)["custom_id"] == custom_id
    sent = good("own").replace(b'"custom_id": "own"', b'"custom_id": "%s"' % name_of(3).encode())
    back = given_back(sent, 3, custom_id)
    assert back == own or "\\u" in own.decode()  # of several ways to write a control character, one is taken
    assert json.loads(back) == json.loads(own)


TWICE = b'{"custom_id":"100000000003","response":{"status_code":200,"body":{"custom_id":"100000000003"}}}\n'
ODD = {
    "a number": b'{"id":"x","custom_id":100000000003,"response":null,"error":{"code":"c"}}\n',
    "a name of another place, too": TWICE,
    "with escapes": b'{"custom_id":"10000000000\\u0033","error":{"code":"c"}}\n',
    "not quite JSON": b'\xef\xbb\xbf{"custom_id":"100000000003","custom_id":"100000000003","error":NaN,"x":"\xff"}\n',
    "a longer number behind": b'{"custom_id": "100000000003", "other": 1000000000031}\n',
}


@pytest.mark.parametrize("answer", ODD.values(), ids=list(ODD))
def test_an_answer_that_tells_its_name_in_an_odd_way_gets_its_own_all_the_same(answer: bytes) -> None:
    told = json.loads(given_back(answer, 3, "my own").decode("utf-8-sig"))
    assert told["custom_id"] == "my own"
    body = (told.get("response") or {}).get("body")
    assert body is None or body["custom_id"] == name_of(3)
