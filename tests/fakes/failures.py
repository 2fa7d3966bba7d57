"""What a call to the provider may raise, each kind once, as `batch_client` raises it of each call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from batch_client import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    CreateOutcomeUnknown,
    DownloadIncomplete,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RateLimitError,
    RequestOutcomeUnknown,
    ServerError,
    SourceError,
    TokenLimitError,
    UploadOutcomeUnknown,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_client import BatchClientError

UNKNOWN: Final = {
    "create_file": UploadOutcomeUnknown,
    "create_batch": CreateOutcomeUnknown,
    "send": RequestOutcomeUnknown,
}


class Failure(NamedTuple):
    """A way in which a call fails."""

    #: what the call of a name raises
    error: Callable[[str], BatchClientError]
    #: the call may have had its effect all the same
    may_have_worked: bool = False
    #: the same call will fail again, however often it is made
    lasting: bool = False


def lost(call: str) -> BatchClientError:
    """Make the error of a call whose answer was lost."""
    return UNKNOWN.get(call, APIConnectionError)("the answer was lost")


def never_sent(_: str = "") -> APIConnectionError:
    """Make the error of a request that no byte of has left."""
    error = APIConnectionError("refused at the door")
    error.sent = False
    return error


def raised(error: BatchClientError) -> Failure:
    """Make the failure of a refusal, which any call may meet."""
    return Failure(lambda _: error)


def answered(error: BatchClientError) -> Failure:
    """Make the failure of an answer that says nothing about the effect: of a POST it is a lost answer."""
    return Failure(lambda call: lost(call) if call in UNKNOWN else error, may_have_worked=True)


def only(call: str, error: BatchClientError, *, may_have_worked: bool = False) -> Failure:
    """Make the failure that one call alone can have; any other has its answer lost."""
    return Failure(lambda asked: error if asked == call else lost(asked), may_have_worked)


EACH_FAILURE: Final[dict[str, Failure]] = {
    "the answer is lost": Failure(lost, may_have_worked=True),
    "no answer in time": answered(APITimeoutError("too slow")),
    "a server error": answered(ServerError("oops", status=500)),
    "a gateway's page": answered(ServerError("<html>", status=502)),
    "overloaded": answered(ServerError("busy", status=503)),
    "an answer that is no answer": answered(ProtocolError("not JSON")),
    "no connection": Failure(never_sent),
    "rate limited, told when": raised(RateLimitError("slow down", status=429, retry_after=7)),
    "rate limited, not told when": raised(RateLimitError("slow down", status=429)),
    "rate limited for a day": raised(RateLimitError("slow down", status=429, retry_after=86_400)),
    "rate limited, not to be retried": raised(RateLimitError("slow down", status=429, retryable=False)),
    "no room for tokens": raised(TokenLimitError("full", status=429)),
    "a key that is refused": raised(AuthenticationError("bad key", status=401, code="invalid_api_key")),
    "a key that cannot be sent": raised(InvalidArgumentError("no such key")),
    "no right": raised(PermissionDeniedError("not yours", status=403)),
    "no money": raised(QuotaError("pay first", status=429, code="insufficient_quota")),
    "a conflict": answered(ConflictError("busy", status=409)),
    "a download that breaks off": only("download_file", DownloadIncomplete("short"), may_have_worked=True),
    "an input that cannot be read": only("create_file", SourceError("the bucket is slow")),
    "not there": Failure(lambda _: NotFoundError("gone", status=404), lasting=True),
    "refused": Failure(lambda _: BadRequestError("no", status=400), lasting=True),
}
each_failure = pytest.mark.parametrize("failure", EACH_FAILURE.values(), ids=EACH_FAILURE)
#: the failures after which a shard goes on by itself, whichever call they befall
PASSING: Final = {name: failure for name, failure in EACH_FAILURE.items() if not failure.lasting}
each_passing_failure = pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING)
