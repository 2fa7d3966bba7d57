"""Each line of the provider's files gets the class the contract gives it."""

import json
from typing import Any

import pytest

from batchyard.domain.batch import BatchError, Usage
from batchyard.domain.outcomes import (
    LONGEST_CODE,
    MOST_CODES,
    OTHER,
    Outcome,
    answer_line,
    code_of,
    count_code,
    outcome_of,
    parse,
    usage_of,
)
from tests.fakes.nested import DEPTHS, SHAPES, nested

SUCCEEDED, REFUSED, TRANSIENT, UNFINISHED = Outcome


def answer(status: Any = 200, body: object = None, error: object = None, **members: object) -> bytes:
    response = None if status is None else {"status_code": status, "request_id": "r", "body": body}
    return json.dumps({"id": "batch_req_1", "custom_id": "a", "response": response, "error": error, **members}).encode()


def refused(status: int, **error: object) -> bytes:
    return answer(status, {"error": {"message": "no", **error}})


def unrun(code: object) -> bytes:
    return answer(None, error={"code": code, "message": "not run"})


@pytest.mark.parametrize(
    ("line", "outcome", "code"),
    [
        pytest.param(answer(200, {"id": "x"}), SUCCEEDED, None, id="200"),
        pytest.param(answer(201, {}), SUCCEEDED, None, id="201"),
        pytest.param(answer(299, {}), SUCCEEDED, None, id="299"),
        pytest.param(refused(400, code="decimal_above_max_value"), REFUSED, "decimal_above_max_value", id="400"),
        pytest.param(refused(401, code="invalid_api_key"), REFUSED, "invalid_api_key", id="401"),
        pytest.param(refused(404, code=None, type="invalid_request_error"), REFUSED, "invalid_request_error", id="404"),
        pytest.param(answer(422, {}), REFUSED, "http_422", id="422"),
        pytest.param(answer(499, None), REFUSED, "http_499", id="499"),
        pytest.param(refused(408, code="timeout"), TRANSIENT, "timeout", id="408"),
        pytest.param(refused(409), TRANSIENT, "http_409", id="409"),
        pytest.param(refused(429, code="rate_limit_exceeded"), TRANSIENT, "rate_limit_exceeded", id="429"),
        pytest.param(answer(500, "not JSON"), TRANSIENT, "http_500", id="500"),
        pytest.param(answer(503, {"error": "overloaded"}), TRANSIENT, "http_503", id="503, error as text"),
        pytest.param(answer(599, {}), TRANSIENT, "http_599", id="599"),
        pytest.param(answer(0, {}), TRANSIENT, "http_0", id="status 0"),
        pytest.param(answer(302, {}), TRANSIENT, "http_302", id="a redirect"),
        pytest.param(answer(102, {}), TRANSIENT, "http_102", id="no final status"),
        pytest.param(unrun("batch_expired"), UNFINISHED, "batch_expired", id="expired"),
        pytest.param(unrun("batch_cancelled"), UNFINISHED, "batch_cancelled", id="cancelled"),
        pytest.param(unrun("request_timeout"), TRANSIENT, "request_timeout", id="timeout inside"),
        pytest.param(unrun("brand_new_code"), TRANSIENT, "brand_new_code", id="an unknown code"),
        pytest.param(unrun(None), TRANSIENT, "no_response", id="an error without a code"),
        pytest.param(answer(None), TRANSIENT, "no_response", id="neither response nor error"),
        pytest.param(answer(200, {}, {"code": "odd", "message": "m"}), TRANSIENT, "odd", id="200 with an error"),
        pytest.param(answer(200, {"error": {"code": "x"}}), SUCCEEDED, None, id="200 whose body speaks of an error"),
        pytest.param(b'{"custom_id":"a"}', TRANSIENT, "no_response", id="only an id"),
    ],
)
def test_a_line_has_the_outcome_and_the_code_of_the_contract(line: bytes, outcome: Outcome, code: str | None) -> None:
    parsed = parse(line)
    assert parsed is not None
    assert parsed.custom_id == "a"
    assert outcome_of(parsed) is outcome
    if code is not None:
        assert code_of(parsed) == code


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        pytest.param(answer(200, {"logprob": float("-inf")}), SUCCEEDED, id="a body with minus infinity"),
        pytest.param(answer(200, {"text": "\ud83d"}), SUCCEEDED, id="a body cut inside a surrogate pair"),
        pytest.param(answer("200", {}), SUCCEEDED, id="the status as text"),
        pytest.param(answer("soon", {}), TRANSIENT, id="no status"),
        pytest.param(answer(200, {}, "boom"), TRANSIENT, id="the error as bare text"),
        pytest.param(unrun(500), TRANSIENT, id="the code as a number"),
        pytest.param(answer(None, response="none"), TRANSIENT, id="the response as text"),
    ],
)
def test_a_line_that_is_not_quite_of_the_contract_counts_all_the_same(line: bytes, outcome: Outcome) -> None:
    parsed = parse(line)
    assert parsed is not None
    assert outcome_of(parsed) is outcome


def test_the_code_of_a_line_that_is_not_quite_json_is_read_too() -> None:
    parsed = parse(answer(429, {"error": {"code": "slow_down"}, "x": float("nan")}))
    assert parsed is not None
    assert code_of(parsed) == "slow_down"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"a"',
        b"<html>",
        b'{"id":"x"}',
        b'{"custom_id":null}',
        b'{"custom_id":true}',
        b'{"custom_id":[]}',
        b'{"custom_id":"a","x":' + b"[" * 100_000,
        b"[" * 100_000 + b'{"custom_id":"a"}' + b"]" * 100_000,
        answer()[:-4],
    ],
)
def test_what_is_no_answer_is_none(line: bytes) -> None:
    assert parse(line) is None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("depth", DEPTHS)
def test_an_answer_was_paid_for_however_deep_it_nests(depth: int, shape: str) -> None:
    text = answer(200, {"usage": {"prompt_tokens": 3, "total_tokens": 3}, "x": 0}).replace(
        b'"x": 0', b'"x":%s' % nested(depth, shape)
    )
    found = parse(text)
    assert found is not None
    assert (found.custom_id, outcome_of(found), usage_of(found).total_tokens) == ("a", SUCCEEDED, 3)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("code", "other"), [("code", "type"), ("type", "code")])
def test_the_code_of_an_error_is_no_value_that_nests(depth: int, code: str, other: str) -> None:
    line = refused(400, **{code: "bad", other: 0}).replace(
        f'"{other}": 0'.encode(), f'"{other}":'.encode() + nested(depth)
    )
    found = parse(line)
    assert found is not None
    assert (outcome_of(found), code_of(found)) == (REFUSED, "bad")


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        pytest.param(
            {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1},
             "completion_tokens_details": {"reasoning_tokens": 1}}, Usage(3, 1, 2, 1, 5), id="chat",
        ),
        pytest.param(
            {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "input_tokens_details": {"cached_tokens": 1},
             "output_tokens_details": {"reasoning_tokens": 1}}, Usage(3, 1, 2, 1, 5), id="responses",
        ),
        pytest.param({"prompt_tokens": 3, "total_tokens": 3}, Usage(3, 0, 0, 0, 3), id="embeddings"),
        pytest.param({"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 0, 2, 0, 5), id="without a total"),
        pytest.param({"prompt_tokens": 3, "completion_tokens": None, "prompt_tokens_details": {"cached_tokens": None},
                      "completion_tokens_details": None}, Usage(3, 0, 0, 0, 3), id="nulls"),
        pytest.param(None, Usage(), id="none"),
        pytest.param({"prompt_tokens": "many"}, Usage(), id="no numbers"),
        pytest.param([], Usage(), id="no object"),
    ],
)  # fmt: skip
def test_usage_is_read_in_every_endpoint_s_words(usage: object, read: Usage) -> None:
    parsed = parse(answer(200, {"usage": usage}))
    assert parsed is not None
    assert usage_of(parsed) == read


def test_usage_survives_a_body_that_is_not_quite_json() -> None:
    parsed = parse(answer(200, {"usage": {"prompt_tokens": 3, "total_tokens": 3}, "logprob": float("-inf")}))
    assert parsed is not None
    assert usage_of(parsed).total_tokens == 3


@pytest.mark.parametrize("body", [None, [], "text", 7])
def test_a_body_that_is_no_object_has_no_usage(body: object) -> None:
    parsed = parse(answer(200, body))
    assert parsed is not None
    assert usage_of(parsed) == Usage()


def test_an_answer_without_response_has_no_usage() -> None:
    parsed = parse(answer(None))
    assert parsed is not None
    assert usage_of(parsed) == Usage()


def test_a_line_without_an_answer_of_its_own_reads_like_the_provider_s() -> None:
    line = answer_line("batch_1", 7, "é\n", BatchError("batch_expired", "late"))
    parsed = parse(line)
    assert parsed is not None
    assert (parsed.custom_id, outcome_of(parsed), code_of(parsed)) == ("é\n", Outcome.UNFINISHED, "batch_expired")
    assert line.count(b"\n") == 1
    assert line == answer_line("batch_1", 7, "é\n", BatchError("batch_expired", "late"))
    assert line != answer_line("batch_1", 8, "é\n", BatchError("batch_expired", "late"))


def test_however_many_and_long_the_codes_a_provider_makes_up_the_counts_stay_small_and_whole() -> None:
    codes: dict[str, int] = {}
    for at in range(3 * MOST_CODES):
        count_code(codes, f"{at:03}" + "x" * 10_000)
    count_code(codes, "000" + "x" * 10_000)
    assert len(codes) == MOST_CODES + 1
    assert max(map(len, codes)) == LONGEST_CODE
    assert codes["000" + "x" * (LONGEST_CODE - 3)] == 2
    assert codes[OTHER] == 2 * MOST_CODES
    assert sum(codes.values()) == 3 * MOST_CODES + 1
