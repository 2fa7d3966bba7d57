"""The errors of the client, one class for each meaning.

BatchClientError
├── InvalidArgumentError      the client refuses an argument; nothing was sent
├── SourceError               the upload source broke, or is not as long as it said
├── APIConnectionError        no whole answer came
│   ├── APITimeoutError       … in time, or the service said 408
│   └── DownloadIncomplete    … even after continuing the download
├── ProtocolError             an answer came that is not what the contract says
├── CannotTell                the service does not show enough to say what came of a lost create
├── OutcomeUnknown            a POST was sent and its answer was lost
│   ├── CreateOutcomeUnknown  … the batch may exist: look with `find_batch` before creating again
│   ├── UploadOutcomeUnknown  … the file may exist
│   └── RequestOutcomeUnknown … the request may have been run and billed
└── APIStatusError            the service refused
    ├── BadRequestError       400, 422 and any 4xx not named here
    │   └── FileTooLargeError 413, or a 4xx that says that the file is too large
    ├── AuthenticationError   401
    ├── PermissionDeniedError 403
    ├── NotFoundError         404
    ├── ConflictError         409
    ├── RateLimitError        429: slow down
    │   └── TokenLimitError   too many enqueued tokens: wait for running batches
    ├── QuotaError            402, or 429 for want of money
    └── ServerError           5xx
"""

from typing import TypeVar


class BatchClientError(Exception):
    """Say that a call failed, and why."""

    #: Whether errors of this class are `retryable`, unless the service says otherwise.
    retryable_by_nature = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the API's own name for it
        param: str | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        #: The sentence that says what happened.
        self.message = message
        #: The HTTP status; None without an answer.
        self.status = status
        #: The error code of the service.
        self.code = code
        #: The error type of the service.
        self.type = type
        #: The parameter at fault, as the service names it.
        self.param = param
        #: The service's id of the request, for its support.
        self.request_id = request_id
        #: Whether the same call may succeed later, and making it again does no harm.
        self.retryable = self.retryable_by_nature if retryable is None else retryable
        #: The seconds that the service asks to wait, not capped.
        self.retry_after = retry_after
        #: The refusal as it came, without the key; empty without a refusal.
        self.body = body
        #: The number of requests that were sent.
        self.attempts = 1

    def __str__(self) -> str:
        known = [("status", self.status), ("code", self.code), ("param", self.param), ("request id", self.request_id)]
        facts = ", ".join(f"{name} {value}" for name, value in known if value is not None)
        return f"{self.message} ({facts})" if facts else self.message


class InvalidArgumentError(BatchClientError, ValueError):
    """Refuse an argument; nothing was sent."""


class SourceError(BatchClientError):
    """Report an upload source that broke or has another length than it said; the service got no whole request."""


class APIConnectionError(BatchClientError):
    """Report that no whole answer came."""

    retryable_by_nature = True
    #: Whether the request may have reached the service; False only if it certainly has not.
    sent = True


class APITimeoutError(APIConnectionError):
    """Report that no whole answer came in time."""


class DownloadIncomplete(APIConnectionError):  # noqa: N818 - it names the state, as the design's words do
    """Report a body that stayed short after every continuation."""


class ProtocolError(BatchClientError):
    """Report an answer that breaks the contract: it is not JSON, has no id, or redirects unexpectedly."""


class CannotTell(BatchClientError):  # noqa: N818 - it names the state, as the design's words do
    """Report a service that lists nothing, or not enough, so that nobody can tell whether a lost create made a batch."""


class OutcomeUnknown(BatchClientError):  # noqa: N818 - it names the state, as the design's words do
    """Report a POST whose answer was lost; the service may have carried it out, or not."""


class CreateOutcomeUnknown(OutcomeUnknown):
    """Report a lost answer to `create_batch`; another create without a look may pay twice."""


class UploadOutcomeUnknown(OutcomeUnknown):
    """Report a lost answer to `create_file`; uploading again costs at most an unused file."""

    retryable_by_nature = True


class RequestOutcomeUnknown(OutcomeUnknown):
    """Report a lost answer to `send`; sending again may pay twice."""


class APIStatusError(BatchClientError):
    """Carry the service's refusal."""


class BadRequestError(APIStatusError):
    """Report a request that the service will never accept as it is."""


class FileTooLargeError(BadRequestError):
    """Report a file, or a request, that is larger than the service takes; a smaller one may be taken."""


class AuthenticationError(APIStatusError):
    """Report a missing, wrong or expired key."""


class PermissionDeniedError(APIStatusError):
    """Report a key that lacks the permission."""


class NotFoundError(APIStatusError):
    """Report an id that the service does not know, or does not show to this key."""


class ConflictError(APIStatusError):
    """Report a request that does not fit the present state of the object."""


class RateLimitError(APIStatusError):
    """Report too many requests; this one was certainly not carried out."""

    retryable_by_nature = True


class TokenLimitError(RateLimitError):
    """Report too many enqueued tokens for the model; there is room again when running batches end."""


class QuotaError(APIStatusError):
    """Report a spending limit or an empty account; a person must pay before the service works again."""


class ServerError(APIStatusError):
    """Report a failure of the service itself."""

    retryable_by_nature = True


T = TypeVar("T", bound=APIStatusError)


def recast(kind: type[T], error: BatchClientError, *, code: str | None, retryable: bool) -> T:
    """Return a refusal as one of another kind, which says what it means."""
    return kind(
        error.message, status=error.status, code=code, type=error.type, param=error.param, request_id=error.request_id,
        retryable=retryable, retry_after=error.retry_after, body=error.body,
    )  # fmt: skip
