"""What Anthropic's refusals mean, where the status alone would mislead."""

from typing import Final

from ..errors import (
    BadRequestError,
    BatchClientError,
    QuotaError,
    RateLimitError,
    ServerError,
    TokenLimitError,
    recast,
)
from ..profiles.rows import ANTHROPIC

#: The code that stands for an account that has no money, or may spend no more.
EMPTY_PURSE: Final = "credit_balance_exhausted"
NO_ROOM: Final = "token_limit_exceeded"
_TOO_MANY: Final = 429
_OVERLOADED: Final = "overloaded_error"


def is_empty_purse(kind: str | None, message: str | None) -> bool:
    """Tell from type and words of an error whether the account has no money: by its type alone it is the request's fault."""
    said = (message or "").lower()
    return any(
        sign.code in (None, kind) and (sign.words is None or sign.words in said) for sign in ANTHROPIC.facts.purse_empty
    )


def refused(error: BatchClientError) -> BatchClientError:
    """Return the error with the meaning of a refusal.

    A service that is overloaded has surely not carried out what was asked; a gateway that fails may have.
    """
    if isinstance(error, BadRequestError | RateLimitError) and is_empty_purse(error.type, error.message):
        return recast(QuotaError, error, code=EMPTY_PURSE, retryable=False)
    if isinstance(error, ServerError) and error.type == _OVERLOADED:
        return recast(RateLimitError, error, code=error.code, retryable=True)
    return error


def without_room(error: RateLimitError) -> RateLimitError:
    """Return the error of a refused create: where the service asks for no wait, the queue is full, or a cap holds for days."""
    if error.status != _TOO_MANY or error.retry_after is not None:
        return error
    return recast(TokenLimitError, error, code=NO_ROOM, retryable=True)
