"""What Anthropic's refusals mean, where the status alone would mislead."""

from typing import Final

from ..errors import (
    BatchClientError,
    RateLimitError,
    ServerError,
    TokenLimitError,
    recast,
)

NO_ROOM: Final = "token_limit_exceeded"
_TOO_MANY: Final = 429
_OVERLOADED: Final = "overloaded_error"


def refused(error: BatchClientError) -> BatchClientError:
    """Return the error with the meaning of a refusal.

    A service that is overloaded has surely not carried out what was asked; a gateway that fails may have.
    """
    if isinstance(error, ServerError) and error.type == _OVERLOADED:
        return recast(RateLimitError, error, code=error.code, retryable=True)
    return error


def without_room(error: RateLimitError) -> TokenLimitError | None:
    """Say of a refused create that the queue is full, or a cap holds for days; None where the service asks for a short wait."""
    if error.status != _TOO_MANY or error.retry_after is not None:
        return None
    return recast(TokenLimitError, error, code=NO_ROOM, retryable=True)
