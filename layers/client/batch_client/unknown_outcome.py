"""Tell lost answers from refusals: after a POST, whether its effect may have happened."""

from collections.abc import Callable
from typing import TypeVar

from .errors import APIConnectionError, BatchClientError, OutcomeUnknown, ProtocolError, ServerError

T = TypeVar("T")


def known_or_raise(send: Callable[[], T], unknown: type[OutcomeUnknown], what: str) -> T:
    """Return what `send` returns; raise `unknown` where its answer was lost, and its own error where it was refused."""
    try:
        return send()
    except BatchClientError as error:
        if not may_have_happened(error):
            raise
        raise unknown(
            f"{what} may or may not exist: {error.message}",
            status=error.status,
            code=error.code,
            type=error.type,
            request_id=error.request_id,
            retry_after=error.retry_after,
        ) from error


def may_have_happened(error: BatchClientError) -> bool:
    """Tell whether the service may have carried out a request that ended in `error`.

    A 5xx may come from a proxy in front of a service that went on, and an unreadable 200 is most likely a success; a
    redirect and a 4xx are refusals.
    """
    if isinstance(error, APIConnectionError):
        return error.sent
    if isinstance(error, ProtocolError):
        return error.status is None or not 300 <= error.status < 400
    return isinstance(error, ServerError)


def never_sent(error: BatchClientError) -> bool:
    """Allow repeating a POST: only when it is certain that nothing reached the service."""
    return isinstance(error, APIConnectionError) and not error.sent
