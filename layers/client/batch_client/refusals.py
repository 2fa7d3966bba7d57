"""Turn the answer of an HTTP error into the error with its meaning. Source: OpenAI's API reference."""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from . import nesting
from .errors import (
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    ConflictError,
    FileTooLargeError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    ServerError,
    TokenLimitError,
)
from .http_info import request_id
from .json_fields import LONGEST_NAME, code_from
from .profiles import Facts
from .sizes import is_too_large

_BY_STATUS: dict[int, type[BatchClientError]] = {
    401: AuthenticationError,
    402: QuotaError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: APITimeoutError,
    409: ConflictError,
    429: RateLimitError,
}
NO_MONEY = "insufficient_quota"
#: Codes of an account that has no money, or may spend no more.
MONEY_CODES = frozenset(
    {
        NO_MONEY,
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
        "billing_not_active",
    }
)
_TOKEN_LIMIT_CODES = frozenset({"token_limit_exceeded"})
_CONTENT_TOO_LARGE = 413
_WITH_WORDS = frozenset({400, 409, 422})
_LONGEST_TEXT = 500
_NO_FACTS = Facts()


class Envelope(msgspec.Struct, frozen=True):
    """Hold what the body of an error says, in any of its shapes."""

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, now: float, facts: Facts = _NO_FACTS
) -> BatchClientError:
    """Return the error for an answer with `status` ≥ 400; `now` is Unix seconds, for a Retry-After that is a date.

    `facts` tell how the service says that the key or the purse is at fault.
    """
    said = read_envelope(body, headers.get("content-type", ""))
    named_by_aws = headers.get("x-amzn-errortype", "").partition(":")[0]
    if named_by_aws:
        said = msgspec.structs.replace(said, type=said.type or named_by_aws[:LONGEST_NAME])
    return _kind(status, said, facts)(
        said.message or f"The service answered {status} without a message",
        status=status,
        code=said.code,
        type=said.type,
        param=said.param,
        request_id=request_id(headers),
        retryable={"true": True, "false": False}.get(headers.get("x-should-retry", "").lower()),
        retry_after=retry_after(headers, now),
        body=body,
    )


def _kind(status: int, said: Envelope, facts: Facts) -> type[BatchClientError]:
    words = {said.code, said.type}
    if any(sign.shows(status, words, said.message) for sign in facts.key_refused):
        return AuthenticationError
    if any(sign.shows(status, words, said.message) for sign in facts.purse_empty):
        return QuotaError
    if status < 500 and words & _TOKEN_LIMIT_CODES:
        return TokenLimitError
    if status < 500 and words & MONEY_CODES:
        return QuotaError
    if status == _CONTENT_TOO_LARGE or (status in _WITH_WORDS and is_too_large(said.code, said.message)):
        return FileTooLargeError
    return _BY_STATUS.get(status, ServerError if status >= 500 else BadRequestError)


def read_envelope(body: bytes, content_type: str) -> Envelope:
    """Read the body of an error: OpenAI's shape, a string, the `detail` of a framework, or no JSON at all."""
    try:
        answer = nesting.decode(body)
    except ValueError:
        return Envelope(_not_json(body, content_type))
    if not isinstance(answer, dict):
        return Envelope(_clip(answer) if isinstance(answer, str) else "")
    error = answer.get("error", answer)
    if not isinstance(error, dict):
        return Envelope(_clip(error) if isinstance(error, str) else "")
    return Envelope(
        message=_message(error),
        code=code_from(error.get("code")),
        type=code_from(error.get("type")),
        param=code_from(error.get("param")),
    )


def _message(error: Mapping[str, object]) -> str:
    found = [error.get(name) for name in ("message", "detail", "error_description")]
    return next((_clip(text) for text in found if isinstance(text, str) and text), "")


def _not_json(body: bytes, content_type: str) -> str:
    text = body[:8_000].decode("utf-8", "replace")
    text = re.sub(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    kind = content_type.split(";", maxsplit=1)[0].strip() or "nothing named"
    return f"The answer is not JSON but {_clip(kind)}: {_clip(text) or 'empty'}"


def _clip(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read the seconds that the service asks to wait, from `retry-after-ms`, else from `retry-after`, which may be a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    return _until(text, now) if seconds is None and text else seconds


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _until(date: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
