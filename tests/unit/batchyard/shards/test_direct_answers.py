"""A request that was sent on its own gets the line that a provider batch would have had for it."""

import json
from typing import Any

import pytest

from batch_client import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    ConflictError,
    HttpInfo,
    InvalidArgumentError,
    NotFoundError,
    QuotaError,
    RateLimitError,
    RequestOutcomeUnknown,
    ServerError,
    is_sound,
)
from batchyard.domain import outcomes
from batchyard.domain.policy import OUTCOME_UNKNOWN, Outcome
from batchyard.shards.direct_answers import LineName, answered, not_answered
from tests.fakes.failures import never_sent
from tests.fakes.nested import DEPTHS, nested

NAME = LineName("batch_1", 7, "r7")


def read(line: bytes) -> tuple[dict[str, Any], Outcome]:
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    told = outcomes.parse(line)
    assert told is not None
    return json.loads(line), outcomes.outcome_of(told)


def test_an_answer_is_put_into_one_line_of_the_providers_shape() -> None:
    said = b'\xef\xbb\xbf{\n "text": "na\xc3\xafve \\ud83d",\n "big": 123456789012345678901234567890}'
    line, outcome = read(answered(NAME, HttpInfo(said, 200, {"x-request-id": "req_7"})))
    assert set(line) == {"id", "custom_id", "response", "error"}
    assert line["response"] == {
        "status_code": 200,
        "request_id": "req_7",
        "body": {"text": "naïve \ufffd", "big": 123456789012345678901234567890},
    }
    assert (line["custom_id"], line["error"], outcome) == ("r7", None, Outcome.SUCCEEDED)


@pytest.mark.parametrize("odd", [b"NaN", b"-Infinity", b'"\xff"', b'"a\x01\n"', b"9" * 5_000, b"1e400", b'"\\udc00"'])
def test_an_answer_that_is_not_quite_json_was_paid_for_and_its_line_is_json(odd: bytes) -> None:
    line = answered(NAME, HttpInfo(b'{"id":"x","odd":%s}' % odd, 200, {}))
    assert is_sound(line)
    told = outcomes.parse(line)
    assert told is not None
    assert outcomes.outcome_of(told) is Outcome.SUCCEEDED


@pytest.mark.parametrize("said", [b"", b"{", b'{"x":%s' % nested(300, around=b"oops"), b"<html>"])
def test_an_answer_that_cannot_be_read_may_have_been_billed(said: bytes) -> None:
    line, outcome = read(answered(NAME, HttpInfo(said, 200, {})))
    assert (line["error"]["code"], outcome) == (OUTCOME_UNKNOWN, Outcome.REFUSED)


def test_an_answer_that_is_no_object_was_paid_for_too() -> None:
    line, outcome = read(answered(NAME, HttpInfo(b"[1]", 200, {})))
    assert (line["response"]["body"], outcome) == ([1], Outcome.SUCCEEDED)


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_answer_that_nests_deeply_is_put_into_the_line_as_it_came(depth: int) -> None:
    deep = nested(depth)
    line = answered(NAME, HttpInfo(b'\xef\xbb\xbf{\r\n"id":"x",\n"deep":%s}\n' % deep, 200, {}))
    told = outcomes.parse(line)
    assert told is not None
    assert (told.custom_id, outcomes.outcome_of(told)) == ("r7", Outcome.SUCCEEDED)
    assert deep in line
    assert (line.count(b"\n"), line.count(b"\r"), line[-1:]) == (1, 0, b"\n")
    assert json.loads(line.replace(deep, b"0"))["response"]["body"] == {"id": "x", "deep": 0}


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_refusal_that_nests_deeply_is_told_too(depth: int) -> None:
    body = b'{"error":{"code":"bad","deep":%s}}' % nested(depth)
    for cut in (0, 1):
        line = not_answered(NAME, BadRequestError("no", status=400, code="bad", body=body[: len(body) - cut]))
        told = outcomes.parse(line)
        assert told is not None
        assert (outcomes.outcome_of(told), outcomes.code_of(told)) == (Outcome.REFUSED, "bad")
        assert (nested(depth) in line) == (not cut)


def test_a_refusal_of_the_request_is_its_error_as_the_provider_said_it() -> None:
    error = BadRequestError("no", status=400, request_id="req_1", body=b'{"error": {"code": "bad"}, "more": 1}')
    line, outcome = read(not_answered(NAME, error))
    assert line["response"] == {
        "status_code": 400, "request_id": "req_1", "body": {"error": {"code": "bad"}, "more": 1},
    }  # fmt: skip
    assert outcome is Outcome.REFUSED


def test_a_refusal_that_is_a_page_is_told_in_the_providers_envelope() -> None:
    line, _ = read(not_answered(NAME, BadRequestError("too large", status=413, body=b"<html>")))
    assert line["response"]["status_code"] == 413
    assert line["response"]["body"]["error"]["message"] == "too large"


@pytest.mark.parametrize(
    "error",
    [
        RequestOutcomeUnknown("lost"),
        ServerError("down", status=503),
        ConflictError("busy", status=409),
        APIConnectionError("cut"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_have_been_run_is_final_and_says_so(error: BatchClientError) -> None:
    line, outcome = read(not_answered(NAME, error))
    assert (line["response"], line["error"]["code"], outcome) == (None, OUTCOME_UNKNOWN, Outcome.REFUSED)
    assert error.message in line["error"]["message"]


@pytest.mark.parametrize(
    "error",
    [
        RateLimitError("slow down", status=429),
        QuotaError("pay first", status=429),
        AuthenticationError("who?", status=401),
        NotFoundError("no such endpoint, or model", status=404),
        BadRequestError("not POST", status=405),
        InvalidArgumentError("no key"),
        never_sent(),
    ],
    ids=lambda error: f"{type(error).__name__} {error.status}",
)
def test_what_was_not_run_waits_for_a_batch_and_loses_no_try(error: BatchClientError) -> None:
    assert read(not_answered(NAME, error))[1] is Outcome.UNFINISHED
