"""One line of Bedrock's jobs there and back: no byte of a body changes, and each record finds its request."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_client import SourceError
from batch_client.dialects.bedrock_lines import decode, encode, records_of, results_of
from batch_client.sources import BytesSource
from batchyard.domain.outcomes import code_of, outcome_of, parse
from batchyard.domain.policy import Outcome

BODY = {"max_tokens": 9, "messages": [{"role": "user", "content": "Grüße 🚀"}], "n": 1.50}
URL = "/model/anthropic.claude-haiku-4-5/invoke"
IDS = ["kant kritik", 'a "quoted" one', "ümlaut/slash"]


def line(custom_id: str, body: str = json.dumps(BODY)) -> bytes:
    return b'{"custom_id":%s,"method":"POST","url":"%s","body":%s}' % (
        json.dumps(custom_id).encode(), URL.encode(), body.encode(),
    )  # fmt: skip


def record(number: int | str, **members: Any) -> bytes:
    told = {"recordId": f"{number:011d}" if isinstance(number, int) else number, "modelInput": BODY, **members}
    return json.dumps(told).encode() + b"\n"


def told(number: int | str, **members: Any) -> dict[str, Any]:
    return dict(json.loads(decode(record(number, **members), IDS)[1]))


def outcome(**members: Any) -> tuple[Outcome, str]:
    answer = parse(decode(record(0, **members), IDS)[1])
    assert answer is not None
    return outcome_of(answer), code_of(answer)


@pytest.mark.parametrize("body", ['{"a": 1.500, "b":"\\u00fc"}', "{}", '{"x":{"body":[1]}}', ' { "n" : 1e400 } '])
def test_a_body_goes_byte_for_byte(body: str) -> None:
    assert encode(line("x", body), 7) == b'{"recordId":"00000000007","modelInput":%s}\n' % body.strip().encode()


def test_records_have_the_numbers_of_their_lines_and_each_has_a_line_of_its_own() -> None:
    source = BytesSource(b"\n".join(line(name) for name in IDS))  # the last one without a line end
    records = [json.loads(each) for each in b"".join(records_of(source)).splitlines()]
    assert records == [{"recordId": f"{at:011d}", "modelInput": BODY} for at in range(3)]


def test_a_line_without_a_body_breaks_the_source() -> None:
    with pytest.raises(SourceError, match="Line 2 "):
        list(records_of(BytesSource(line("x") + b'\n{"custom_id":"y"}\n')))


def test_an_answer_has_the_custom_id_of_its_request_and_no_echo() -> None:
    raw = b'{"modelInput":{"big":[1,2]},"modelOutput":{ "usage" : {"inputTokens":1.0} },"recordId":"00000000001"}'
    number, line_ = decode(raw, IDS)
    assert number == 1
    assert b'"body":{ "usage" : {"inputTokens":1.0} }' in line_
    assert json.loads(line_) == {
        "id": "00000000001", "custom_id": IDS[1], "error": None,
        "response": {"status_code": 200, "request_id": None, "body": {"usage": {"inputTokens": 1.0}}},
    }  # fmt: skip


def test_an_error_has_its_status_and_its_words() -> None:
    found = told(2, error={"errorCode": 400, "errorMessage": "Malformed input request"})
    assert found["custom_id"] == IDS[2]
    assert found["response"]["status_code"] == 400
    assert found["response"]["body"]["error"] == {
        "errorCode": 400, "errorMessage": "Malformed input request", "message": "Malformed input request"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("members", "means"),
    [
        ({"error": {"errorCode": 400, "errorMessage": "no"}}, (Outcome.REFUSED, "http_400")),
        ({"error": {"errorCode": "429", "errorMessage": "slow"}}, (Outcome.TRANSIENT, "http_429")),
        ({"error": {"errorCode": 500}}, (Outcome.TRANSIENT, "http_500")),
        ({"error": {"errorCode": 7}}, (Outcome.TRANSIENT, "http_500")),
        ({"error": {"errorCode": 403, "errorMessage": "AccessDenied"}}, (Outcome.UNFINISHED, "invalid_api_key")),
        ({"error": "broken"}, (Outcome.TRANSIENT, "no_result")),
        ({"modelOutput": None, "error": None}, (Outcome.TRANSIENT, "no_result")),
        ({}, (Outcome.TRANSIENT, "no_result")),
    ],
)
def test_what_an_error_means(members: dict[str, Any], means: tuple[Outcome, str]) -> None:
    assert outcome(**members) == means


@pytest.mark.parametrize("name", [3, "x", "", "00000000000001", "-1", "\u0661", "1 "])
def test_a_record_of_no_request_is_a_stray(name: int | str) -> None:
    assert told(name, modelOutput={}) == {"custom_id": None}


@pytest.mark.parametrize(
    "raw", [b"\xef\xbb\xbf" + record(0, modelOutput={"a": 1}), b'{"recordId":0,"modelOutput":{"a":NaN}}\n']
)
def test_a_line_that_is_not_quite_json_is_an_answer_all_the_same(raw: bytes) -> None:
    assert decode(raw, IDS)[0] == 0


def test_a_line_that_is_cut_in_half_is_a_stray() -> None:
    assert decode(record(0, modelOutput={"a": 1})[:-9], IDS)[0] is None


@given(st.permutations(range(30)), st.integers(1, 90), st.sets(st.integers(0, 29)))
def test_records_in_any_order_are_told_once_each(order: list[int], size: int, doubled: set[int]) -> None:
    ids = [f"line {at}" for at in range(30)]
    data = b"".join(record(at, modelOutput={"at": at}) for at in order) + b"\n"
    data += b"".join(record(at, modelOutput={"at": -1}) for at in doubled)
    found = b"".join(results_of((data[at : at + size] for at in range(0, len(data), size)), ids)).splitlines()
    assert [(each["custom_id"], each["response"]["body"]["at"]) for each in map(json.loads, found)] == [
        (f"line {at}", at) for at in order
    ]


def test_memory_is_that_of_some_lines_there_and_back() -> None:
    count = 20_000
    ids = list(map(str, range(count)))
    body = json.dumps({"text": "x" * 500})

    class Many:
        def __len__(self) -> int:
            return 0

        def __iter__(self) -> Iterator[bytes]:
            return (line(str(at), body) + b"\n" for at in range(count))

    tracemalloc.start()
    sent = sum(len(chunk) for chunk in records_of(Many()))
    told_ = sum(len(chunk) for chunk in results_of((record(at, modelOutput=BODY) for at in range(count)), ids))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent > 10_000_000
    assert told_ > 1_000_000
    assert peak < 3_000_000
