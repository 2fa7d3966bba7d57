"""Each line of the provider's files gets the class the contract gives it."""

import json
from typing import Any

import pytest

from batchyard.costs.usage import Usage
from batchyard.domain.batch import BatchError
from batchyard.domain.outcomes import (
    MOST_CODES,
    OTHER,
    answer_line,
    code_of,
    count_code,
    outcome_of,
    parse,
    usage_of,
    with_pictures,
)
from batchyard.domain.policy import LONGEST_CODE, Outcome
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
        pytest.param(answer(200, {}, {"code": "odd", "message": "m"}), SUCCEEDED, None, id="200 with an error"),
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
    ("status", "outcome"),
    [(200, SUCCEEDED), (400, REFUSED), ("400", REFUSED), (404, REFUSED), (429, TRANSIENT), (500, TRANSIENT)],
)
def test_where_there_is_a_status_it_decides_whatever_stands_beside_it(status: object, outcome: Outcome) -> None:
    for body in (None, {}, {"error": {"code": "of_the_body"}}):
        for error in ("batch_expired", "request_timeout", "invalid_value", "outcome_unknown", "odd", None, 503):
            parsed = parse(answer(status, body, {"code": error, "message": "no"}))
            assert parsed is not None
            assert outcome_of(parsed) is outcome
            assert code_of(parsed) == ("of_the_body" if body else str(error or f"http_{status}"))


@pytest.mark.parametrize("status", [None, 0, "0", 99, 600, -1, 10**30, "soon", True, [], 200.5])
def test_where_there_is_no_status_the_error_decides(status: object) -> None:
    for code, outcome in (("batch_expired", UNFINISHED), ("invalid_value", REFUSED), ("odd", TRANSIENT)):
        line = {"custom_id": "a", "response": {"status_code": status, "body": None}, "error": {"code": code}}
        parsed = parse(json.dumps(line).encode())
        assert parsed is not None
        assert (outcome_of(parsed), code_of(parsed)) == (outcome, code)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        *((code, UNFINISHED) for code in (
            "batch_expired", "batch_cancelled", "batch_canceled", "Batch_Expired", "invalid_api_key", "insufficient_quota",
            "credit_balance_exhausted",
        )),
        *((code, REFUSED) for code in (
            "invalid_request", "invalid_request_error", "InvalidRequest", "bad_request", "BadRequest", "invalid_value",
            "invalid_type", "invalid_prompt", "unsupported_parameter", "unsupported_value", "missing_required_parameter",
            "unknown_parameter", "context_length_exceeded", "string_above_max_length", "decimal_above_max_value",
            "integer_below_min_value", "model_not_found", "ModelNotFound", "not_found_error", "content_filter",
            "content_policy_violation", "moderation_blocked", "unprocessable_entity", "validation_error",
            "request_too_large", "prompt_too_long", "permission_denied", "streaming_unsupported", "400", "404", "422",
            400, 404, 413, "http_400", "HTTP 422", "error_400", "outcome_unknown",
        )),
        *((code, TRANSIENT) for code in (
            "request_timeout", "timeout", "validation_timeout",
            "rate_limit_exceeded", "token_limit_exceeded", "server_error", "overloaded",
            "internal_error", "InternalServerError", "service_unavailable", "batch_client_error",
            "invalid_response", "missing_output", "odd", "", "429", "500", 408, 409, 503, "http_502", 200, "299", 7, 10**30,
        )),
    ],
)  # fmt: skip
def test_a_line_without_a_status_has_the_class_of_its_code(code: object, outcome: Outcome) -> None:
    for member in ("code", "type"):
        error = {member: code, "message": "no"}
        for line in (
            {"error": error},
            {"error": error, "response": None},
            {"error": error, "response": {"body": None}},
            {"error": None, "response": {"body": {"error": error}}},
        ):
            parsed = parse(json.dumps({"custom_id": "a", **line}).encode())
            assert parsed is not None
            assert outcome_of(parsed) is outcome
            assert code_of(parsed) == (str(code) if code else "no_response")


def test_a_code_without_end_is_cut_and_has_no_class_of_its_own() -> None:
    parsed = parse(answer(None, error={"code": "x" * 10**6 + "_not_found"}))
    assert parsed is not None
    assert (outcome_of(parsed), len(code_of(parsed))) == (TRANSIENT, 200)


def test_the_names_that_dashscope_has_for_code_and_message_are_read_too() -> None:
    parsed = parse(b'{"custom_id":"a","response":null,"error":{"error_code":"InvalidParameter","error_message":"no"}}')
    assert parsed is not None
    assert (outcome_of(parsed), code_of(parsed)) == (REFUSED, "InvalidParameter")


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        pytest.param(answer(200, {"logprob": float("-inf")}), SUCCEEDED, id="a body with minus infinity"),
        pytest.param(answer(200, {"text": "\ud83d"}), SUCCEEDED, id="a body cut inside a surrogate pair"),
        pytest.param(answer("200", {}), SUCCEEDED, id="the status as text"),
        pytest.param(answer("soon", {}), TRANSIENT, id="no status"),
        pytest.param(answer(200, {}, "boom"), SUCCEEDED, id="the error as bare text"),
        pytest.param(unrun(500), TRANSIENT, id="the code as a number"),
        pytest.param(unrun({"deep": 1}), TRANSIENT, id="the code as an object"),
        pytest.param(answer(200, {"x": 10**400}), SUCCEEDED, id="a number of 400 digits"),
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
    "number", [b"9" * 400, b"9" * 5_000, b"-" + b"9" * 5_000, b"1e400", b"1e-400", b"0." + b"3" * 5_000]
)
@pytest.mark.parametrize("place", ["status_code", "prompt_tokens", "x", "code", "code of the body"])
def test_a_number_without_end_hides_no_answer(number: bytes, place: str) -> None:
    line = {
        "custom_id": "a", "response": {"status_code": 200, "body": {"usage": {"prompt_tokens": 3}}}, "error": None,
    }  # fmt: skip
    text = json.dumps(line).encode()
    text = {
        "status_code": text.replace(b"200", number),
        "prompt_tokens": text.replace(b"3", number, 1),
        "x": text[:-1] + b',"x":' + number + b"}",
        "code": text.replace(b"null", b'{"code":' + number + b"}"),
        "code of the body": text.replace(b'{"usage"', b'{"error":{"code":%s},"usage"' % number),
    }[place]
    parsed = parse(text)
    assert parsed is not None
    assert parsed.custom_id == "a"
    assert outcome_of(parsed) is (TRANSIENT if place == "status_code" else SUCCEEDED)
    assert len(code_of(parsed)) < 500
    assert 0 <= usage_of(parsed).total_tokens <= 3


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
        pytest.param(
            {"input_tokens": 50, "output_tokens": 272, "total_tokens": 322,
             "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
             "output_tokens_details": {"text_tokens": 2, "image_tokens": 270}},
            Usage(50, 0, 272, 0, 322, 40, 270), id="images",
        ),
        pytest.param({"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 0, 2, 0, 5), id="without a total"),
        pytest.param({"prompt_tokens": 3, "completion_tokens": None, "prompt_tokens_details": {"cached_tokens": None},
                      "completion_tokens_details": None}, Usage(3, 0, 0, 0, 3), id="nulls"),
        pytest.param(
            {"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 2,
             "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6}, "service_tier": "batch"},
            Usage(113, 100, 2, 0, 115, written_tokens=10, written_hour_tokens=6), id="messages",
        ),
        pytest.param(
            {"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": None, "output_tokens": 2},
            Usage(13, 0, 2, 0, 15, written_tokens=10), id="messages that only wrote to the cache",
        ),
        pytest.param(
            {"input_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 2},
            Usage(3, 0, 2, 0, 5), id="messages without a cache",
        ),
        pytest.param(
            {"prompt_tokens": 113, "completion_tokens": 2, "total_tokens": 115, "cache_creation_input_tokens": 10,
             "cache_read_input_tokens": 100, "prompt_tokens_details": {"cached_tokens": 100}},
            Usage(113, 100, 2, 0, 115), id="a gateway that has the cache's tokens among the prompt's, and shows them again",
        ),
        pytest.param(None, Usage(), id="none"),
        pytest.param({"prompt_tokens": "many"}, Usage(), id="no numbers"),
        pytest.param([], Usage(), id="no object"),
    ],
)  # fmt: skip
def test_usage_is_read_in_every_endpoint_s_words(usage: object, read: Usage) -> None:
    parsed = parse(answer(200, {"usage": usage}))
    assert parsed is not None
    assert usage_of(parsed) == read


def test_only_the_answers_tell_which_tokens_are_of_pictures() -> None:
    of_answers = Usage(40, 0, 200, 0, 240, 30, 190, 7, 3)
    assert with_pictures(None, of_answers) == of_answers
    assert with_pictures(Usage(50, 0, 272, 0, 322), of_answers) == Usage(50, 0, 272, 0, 322, 30, 190, 7, 3)


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
