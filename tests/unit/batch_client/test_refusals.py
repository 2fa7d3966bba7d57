from collections.abc import Mapping

import msgspec
import pytest
from requests.structures import CaseInsensitiveDict

from batch_client import errors
from batch_client.errors import BatchClientError
from batch_client.refusals import refusal
from tests.unit.batch_client.fake_service import envelope

NOW = 1_790_000_000.0


def refused(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> BatchClientError:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return refusal(status, CaseInsensitiveDict(headers or {}), raw, NOW)


@pytest.mark.parametrize(
    ("status", "code", "kind", "retryable"),
    [
        (400, None, errors.BadRequestError, False),
        (400, "quotaExceeded", errors.BadRequestError, False),
        (400, "token_limit_exceeded", errors.TokenLimitError, True),
        (401, "invalid_api_key", errors.AuthenticationError, False),
        (402, None, errors.QuotaError, False),
        (403, None, errors.PermissionDeniedError, False),
        (404, None, errors.NotFoundError, False),
        (408, None, errors.APITimeoutError, True),
        (409, None, errors.ConflictError, False),
        (413, None, errors.FileTooLargeError, False),
        (422, None, errors.BadRequestError, False),
        (429, "rate_limit_exceeded", errors.RateLimitError, True),
        (429, "slow_down", errors.RateLimitError, True),
        (429, "insufficient_quota", errors.QuotaError, False),
        (429, "billing_hard_limit_reached", errors.QuotaError, False),
        (429, "token_limit_exceeded", errors.TokenLimitError, True),
        (500, None, errors.ServerError, True),
        (503, "insufficient_quota", errors.ServerError, True),
        (599, None, errors.ServerError, True),
    ],
)
def test_status_and_code_choose_the_kind(
    status: int, code: str | None, kind: type[BatchClientError], retryable: bool
) -> None:
    error = refused(status, envelope(code))
    assert (type(error), error.status, error.code, error.retryable) == (kind, status, code, retryable)


def test_the_type_alone_tells_of_money() -> None:
    assert isinstance(refused(429, {"error": {"type": "insufficient_quota"}}), errors.QuotaError)


def test_an_error_carries_what_the_service_says() -> None:
    error = refused(400, envelope("bad", "wrong", param="limit"), {"X-Request-ID": "req_1"})
    assert (error.message, error.param, error.type, error.request_id) == (
        "wrong",
        "limit",
        "invalid_request_error",
        "req_1",
    )
    assert str(error) == "wrong (status 400, code bad, param limit, request id req_1)"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "just text"}, "just text"),
        ({"error": {"message": "m", "code": 7}}, "m"),
        ({"detail": "from a framework"}, "from a framework"),
        ({"message": "bare"}, "bare"),
        ("text as JSON", "text as JSON"),
        (b"<html><head><style>b{}</style></head><body><h1>Bad  Gateway</h1></body></html>", "Bad Gateway"),
        (b"upstream\nfailed", "upstream failed"),
        (b"\xff\xfe", "not JSON"),
        (b"", "empty"),
        (b"[" * 100_000, "not JSON"),
        ([], "502 without a message"),
        ({"error": None}, "502 without a message"),
        ({"error": {"message": 7}}, "502 without a message"),
    ],
)
def test_every_body_gives_a_clear_message(body: object, message: str) -> None:
    error = refused(502, body, {"content-type": "text/html; charset=utf-8"})
    assert message in error.message
    assert len(error.message) < 700


def test_a_number_as_a_code_is_text() -> None:
    assert refused(400, {"error": {"code": 429}}).code == "429"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7.5"}, 7.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "7"}, 7.0),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:30 GMT"}, 10.0),
        ({"retry-after": "Mon, 21 Sep 2020 14:13:30 GMT"}, 0.0),
        ({"retry-after": "Mon, 99 Sep 2026 14:13:30 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "soon"}, None),
    ],
)
def test_the_wait_asked_for_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert refused(429, headers=headers).retry_after == seconds


@pytest.mark.parametrize(("said", "retryable"), [("true", True), ("FALSE", False), ("perhaps", True)])
def test_the_service_may_say_itself_whether_to_retry(said: str, retryable: bool) -> None:
    assert refused(500, headers={"x-should-retry": said}).retryable is retryable


def test_what_a_refusal_says_without_end_is_cut() -> None:
    endless = "x" * 100_000
    body = msgspec.json.encode({"error": {"message": endless, "code": endless, "type": endless, "param": endless}})
    error = refusal(400, {"x-request-id": endless}, body, 0.0)
    assert (len(error.message), len(error.code or ""), len(error.type or "")) == (500, 200, 200)
    assert (len(error.param or ""), len(error.request_id or "")) == (200, 200)
