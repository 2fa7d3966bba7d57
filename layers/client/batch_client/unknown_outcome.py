"""Tell after a POST that failed whether the service may have carried it out."""

from collections.abc import Callable
from typing import TypeVar

from .errors import APIConnectionError, BatchClientError, OutcomeUnknown, ProtocolError, ServerError

T = TypeVar("T")


def known_or_raise(send: Callable[[], T], unknown: type[OutcomeUnknown], what: str) -> T:
    """Return what `send` returns; raise `unknown` if the answer was lost, and the error itself if it is a refusal."""
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

    A 5xx may come from a proxy although the service went on. A 200 that cannot be read is most likely a success. A
    redirect and a 4xx are refusals.
    """
    if isinstance(error, APIConnectionError):
        return error.sent
    if isinstance(error, ProtocolError):
        return error.status is None or not 300 <= error.status < 400
    return isinstance(error, ServerError)


def never_sent(error: BatchClientError) -> bool:
    """Tell whether certainly nothing has reached the service, so that a POST may be repeated."""
    return isinstance(error, APIConnectionError) and not error.sent
