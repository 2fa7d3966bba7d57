"""What Anthropic's refusals mean, where the status alone would mislead."""

from typing import Final, TypeVar

from ..errors import (
    APIStatusError,
    BatchClientError,
    RateLimitError,
    ServerError,
    TokenLimitError,
)

T = TypeVar("T", bound=APIStatusError)

NO_ROOM: Final = "token_limit_exceeded"
_TOO_MANY: Final = 429
_OVERLOADED: Final = "overloaded_error"


def refused(error: BatchClientError) -> BatchClientError:
    """Return the error with the meaning of a refusal.

    A service that is overloaded has surely not carried out what was asked; a gateway that fails may have.
    """
    if isinstance(error, ServerError) and error.type == _OVERLOADED:
        return _as(RateLimitError, error, code=error.code, retryable=True)
    return error


def without_room(error: RateLimitError) -> TokenLimitError | None:
    """Say of a refused create that the queue is full, or a cap holds for days; None where the service asks for a short wait."""
    if error.status != _TOO_MANY or error.retry_after is not None:
        return None
    return _as(TokenLimitError, error, code=NO_ROOM, retryable=True)


def _as(kind: type[T], error: BatchClientError, *, code: str | None, retryable: bool) -> T:
    return kind(
        error.message, status=error.status, code=code, type=error.type, param=error.param, request_id=error.request_id,
        retryable=retryable, retry_after=error.retry_after, body=error.body,
    )  # fmt: skip
