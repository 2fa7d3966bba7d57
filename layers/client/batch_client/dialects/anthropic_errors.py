"""What Anthropic's refusals mean, where the status alone would mislead."""

from typing import Final

from ..errors import BatchClientError, RateLimitError, ServerError, recast

_OVERLOADED: Final = "overloaded_error"


def refused(error: BatchClientError) -> BatchClientError:
    """Return the error with the meaning of a refusal.

    A service that is overloaded has surely not carried out what was asked; a gateway that fails may have.
    """
    if isinstance(error, ServerError) and error.type == _OVERLOADED:
        return recast(RateLimitError, error, code=error.code, retryable=True)
    return error
