"""One line of Anthropic's dialect there and back: no byte of a body changes, and each answer finds its request."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_client import PROFILES, SourceError
from batch_client.dialects.anthropic_lines import HEAD, TAIL, Requests, decode, encode, mark_of, number_in
from batch_client.dialects.lines import lines_of
from batch_client.upload import StreamedBody

BODY = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Grüße 🚀"}]}
SIGNS = PROFILES["anthropic"].facts.purse_empty
MARK = mark_of("batch_1/0/1")
IDS = ["kant kritik", 'a "quoted" one', "ümlaut/slash"]
LOW = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade."


class Source:
    """Lines, in chunks of a size."""

    def __init__(self, data: bytes, size: int = 1000) -> None:
        self.data, self.size = data, size

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), self.size):
            yield self.data[start : start + self.size]


def line(custom_id: str = "a", body: object = BODY, **more: object) -> bytes:
    members = {"custom_id": custom_id, "method": "POST", "url": "/v1/messages", "body": body, **more}
    return json.dumps(members, ensure_ascii=False).encode()


def answered(custom_id: str, result: object) -> bytes:
    return json.dumps({"custom_id": custom_id, "result": result}).encode()


def told(result: object, number: int = 1) -> dict[str, Any]:
    found, text = decode(answered(f"{MARK}-{number}", result), IDS, MARK, SIGNS)
    assert found == number
    assert text.endswith(b"\n")
    return dict(json.loads(text))


def errored(kind: str, message: str = "no") -> dict[str, Any]:
    error = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return told({"type": "errored", "error": error})


def test_a_request_is_the_body_as_it_stands_under_its_number() -> None:
    odd = b'{"custom_id":"x","url":"/v1/messages","body":{ "b" : 1.0e0,  "a":"\\u00e9" , "n":123456789012345678901}}'
    assert encode(odd, MARK, 7) == (
        b'{"custom_id":"' + MARK.encode() + b'-7","params":{ "b" : 1.0e0,  "a":"\\u00e9" , "n":123456789012345678901}}'
    )


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"body":', b"nothing"])
def test_a_line_without_a_body_is_refused(text: bytes) -> None:
    with pytest.raises(SourceError, match="Line 4"):
        encode(text, MARK, 3)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
lines = st.lists(st.tuples(st.text(min_size=1), json_values, st.booleans()), min_size=1, max_size=8)


@given(lines, st.integers(1, 300), st.booleans())
def test_the_length_of_a_body_is_known_before_it_is_read(
    given_lines: list[tuple[str, object, bool]], size: int, ended: bool
) -> None:
    texts = [
        json.dumps(
            {"custom_id": name, "method": "POST", "url": "/v1/messages", "body": body}, ensure_ascii=ascii_only
        ).encode("utf-8", "surrogatepass")
        for name, body, ascii_only in given_lines
    ]
    data = b"\n".join(texts) + (b"\n" if ended else b"")
    sent = StreamedBody(HEAD, Requests(Source(data, size), MARK), TAIL)
    whole = b"".join(sent)
    assert len(whole) == len(sent) == len(HEAD) + len(data) + len(TAIL)
    assert b"".join(sent) == whole, "a second time, too"
    requests = json.loads(whole.decode("utf-8", "surrogatepass"))["requests"]
    assert [each["params"] for each in requests] == [body for _, body, _ in given_lines]
    assert [each["custom_id"] for each in requests] == [f"{MARK}-{number}" for number in range(len(texts))]


@pytest.mark.parametrize("text", [b'{"custom_id":"a","url":"/v1/messages","body":{}}', b'{"body":{"a":1}}'])
def test_the_shortest_line_fits_or_is_refused_before_anything_is_sent_wrongly(text: bytes) -> None:
    sent = StreamedBody(HEAD, Requests(Source(text), MARK), TAIL)
    if b"url" in text:
        assert json.loads(b"".join(sent))
        return
    with pytest.raises(SourceError, match="too short"):
        b"".join(sent)


def test_ids_keep_to_what_the_service_takes() -> None:
    last = json.loads(encode(line(), MARK, 99_999))["custom_id"]
    assert last.replace("-", "").isalnum()
    assert len(last) <= 64
    assert mark_of("batch_1/0/1") != mark_of("batch_1/0/2")


def test_a_success_is_a_line_of_openai_with_its_native_body() -> None:
    message = {"type": "message", "content": [{"type": "text", "text": "Grüße"}], "usage": {"input_tokens": 1}}
    found = told({"type": "succeeded", "message": message}, 2)
    assert found == {
        "id": f"{MARK}-2",
        "custom_id": IDS[2],
        "response": {"status_code": 200, "request_id": None, "body": message},
        "error": None,
    }


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("invalid_request_error", 400), ("authentication_error", 401), ("permission_error", 403),
        ("not_found_error", 404), ("request_too_large", 413), ("rate_limit_error", 429), ("api_error", 500),
        ("timeout_error", 504), ("overloaded_error", 529), ("odd_error", 500),
    ],
)  # fmt: skip
def test_an_error_has_the_status_of_its_type_and_its_native_body(kind: str, status: int) -> None:
    found = errored(kind)
    assert found["error"] is None
    assert (found["response"]["status_code"], found["response"]["request_id"]) == (status, "req_1")
    assert found["response"]["body"]["error"] == {"type": kind, "message": "no"}


@pytest.mark.parametrize(("kind", "code"), [("canceled", "batch_cancelled"), ("expired", "batch_expired")])
def test_a_request_that_never_ran_says_why(kind: str, code: str) -> None:
    found = told({"type": kind})
    assert (found["response"], found["error"]["code"]) == (None, code)


@pytest.mark.parametrize(("kind", "words"), [("invalid_request_error", LOW), ("billing_error", "Pay.")])
def test_low_credit_is_no_fault_of_the_request(kind: str, words: str) -> None:
    found = errored(kind, words)
    assert (found["response"], found["error"]) == (None, {"code": "credit_balance_exhausted", "message": words})


@pytest.mark.parametrize("result", [{"type": "pondered"}, {"type": "errored"}, {"type": "succeeded"}, {"type": ""}])
def test_an_odd_result_is_an_error_with_a_code_of_its_own(result: dict[str, str]) -> None:
    found = told(result)
    assert (found["response"], found["error"]["code"]) == (None, result["type"] or "no_result")


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"null", b"[]", b'{"custom_id":"x"}', b'{"custom_id":5,"result":{"type":"expired"}}',
        answered("unknown", {"type": "expired"}), answered(f"{MARK}-3", {"type": "expired"}),
        answered(f"{MARK}--1", {"type": "canceled", "x": 1})[:40], answered(f"{MARK}-¹", {"type": "expired"}),
        answered(f"{MARK}-{'9' * 5000}", {"type": "expired"}), answered("0-1", {"type": "expired"}),
        answered(f"{mark_of('batch_1/1/1')}-1", {"type": "expired"}), answered("1", {"type": "expired"}),
        b'{"custom_id":' * 4000,
    ],
)  # fmt: skip
def test_what_answers_no_request_is_a_stray(text: bytes) -> None:
    number, found = decode(text, IDS, MARK)
    assert (number, json.loads(found)) == (None, {"custom_id": None})


def test_a_line_that_is_not_quite_json_is_mended_to_be_read() -> None:
    text = answered(f"{MARK}-0", {"type": "succeeded", "message": {"n": 1}}).replace(b'"n": 1', b'"n": NaN')
    number, found = decode(text, IDS, MARK)
    assert number == 0
    assert json.loads(found)["response"]["body"] == {"n": None}


@given(st.lists(st.binary(max_size=9)), st.integers(1, 5))
def test_lines_are_those_of_the_whole(pieces: list[bytes], size: int) -> None:
    whole = b"\n".join(pieces)
    chunks = (whole[start : start + size] for start in range(0, len(whole), size))
    assert list(lines_of(chunks)) == whole.splitlines(keepends=True) if b"\r" not in whole else True
    assert b"".join(lines_of(iter([whole]))) == whole


@given(st.lists(st.text("xy", max_size=9)), st.integers(1, 5), st.integers(1, 9))
def test_a_line_that_is_too_long_comes_as_nothing(pieces: list[str], size: int, longest: int) -> None:
    whole = "\n".join(pieces).encode()
    found = list(lines_of((whole[start : start + size] for start in range(0, len(whole), size)), longest))
    lines = whole.splitlines(keepends=True)
    assert len(found) == len(lines)
    for line, given_line in zip(lines, found, strict=True):
        assert given_line == line or (given_line == b"" and len(line) > longest)
        assert len(given_line) <= longest + size


@given(st.text())
def test_no_text_is_a_number_that_is_none(text: str) -> None:
    assert number_in(f"{MARK}-{text}", MARK) is None or text.isdecimal()


def test_memory_stays_flat_over_many_lines() -> None:
    one = line(body={**BODY, "messages": [{"role": "user", "content": "x" * 5_000}]}) + b"\n"

    class Many:
        def __len__(self) -> int:
            return len(one) * 8_000

        def __iter__(self) -> Iterator[bytes]:
            for _ in range(200):
                yield one * 40

    sent = StreamedBody(HEAD, Requests(Many(), MARK), TAIL)
    tracemalloc.start()
    try:
        assert sum(map(len, sent)) == len(sent) > 40_000_000
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
