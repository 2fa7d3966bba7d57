"""What dialects share: refusals that mean the same at several services, and a window in hours."""

from collections.abc import Callable
from typing import Final

from ..dialect import Look
from ..errors import BadRequestError, ConflictError, InvalidArgumentError, RateLimitError, TokenLimitError, recast

NO_ROOM: Final = "token_limit_exceeded"
_TOO_MANY: Final = 429
_HOURS: Final = {"h": 1, "d": 24}


def without_room(error: RateLimitError) -> TokenLimitError | None:
    """Say of a refused create that the queue is full, or a cap holds for days; None where the service asks for a short wait."""
    if error.status != _TOO_MANY or error.retry_after is not None:
        return None
    return recast(TokenLimitError, error, code=NO_ROOM, retryable=True)


def stopped_or_seen(stop: Callable[[], Look], look: Callable[[], Look]) -> Look:
    """Stop a job; where that is refused because the job has ended, return it as it has."""
    try:
        return stop()
    except (ConflictError, BadRequestError):
        seen = look()
        if not seen.ended:
            raise
        return seen


def hours_of(window: str) -> int:
    """Read `24h` or `7d` as hours; raises InvalidArgumentError for what is no window."""
    number, unit = window[:-1], window[-1:]
    if unit not in _HOURS or not (number.isascii() and number.isdecimal()):
        raise InvalidArgumentError(f"{window[:64]!r} is no window, such as 24h or 7d")
    return int(number) * _HOURS[unit]
