"""What Anthropic's refusals mean, where the status alone would mislead. Source: its documentation, and a recorded exchange."""

import re
from typing import Final

from .errors import APIStatusError, BadRequestError, BatchClientError, QuotaError, RateLimitError, ServerError

#: The code that stands for an account without money, or at a limit of its own.
EMPTY_PURSE: Final = "credit_balance_exhausted"
_BILLING, _OVERLOADED = "billing_error", "overloaded_error"
_OF_REQUESTS: Final = frozenset({"invalid_request_error", "rate_limit_error", "permission_error", ""})
# Low credit and a spend limit come as faults of the request: only their words tell.
_WORDS: Final = r"(?i)\bcredit balance is too low\b|\b(?:spend|spending|usage) limits?\b|\bspend cap\b"


def is_empty_purse(kind: str | None, message: str | None) -> bool:
    """Tell from type and words of an error whether the account has no money, or may spend no more."""
    return kind == _BILLING or ((kind or "") in _OF_REQUESTS and re.search(_WORDS, message or "") is not None)


def refused(error: BatchClientError) -> BatchClientError:
    """Return the error with the meaning of a refusal.

    A service that is overloaded has surely not carried out what was asked; a gateway that fails may have.
    """
    if not isinstance(error, APIStatusError):
        return error
    if isinstance(error, BadRequestError | RateLimitError) and is_empty_purse(error.type, error.message):
        return _as(QuotaError, error, code=EMPTY_PURSE, retryable=False)
    if isinstance(error, ServerError) and error.type == _OVERLOADED:
        return _as(RateLimitError, error, code=error.code, retryable=True)
    return error


def _as(
    kind: type[BatchClientError], error: BatchClientError, *, code: str | None, retryable: bool
) -> BatchClientError:
    return kind(
        error.message, status=error.status, code=code, type=error.type, param=error.param, request_id=error.request_id,
        retryable=retryable, retry_after=error.retry_after, body=error.body,
    )  # fmt: skip
