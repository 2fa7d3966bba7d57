"""What can go wrong, by meaning.

BatchClientError
├── InvalidArgumentError      we refuse to send this; nothing was sent
├── SourceError               the upload source broke, or is not as long as it said
├── APIConnectionError        no whole answer came
│   ├── APITimeoutError       … in time, or the service said 408
│   └── DownloadIncomplete    … even after continuing the download
├── ProtocolError             an answer came that is not what the contract says
├── OutcomeUnknown            a POST was sent and its answer was lost
│   ├── CreateOutcomeUnknown  … the batch may exist: look with `find_batch` before creating again
│   ├── UploadOutcomeUnknown  … the file may exist
│   └── RequestOutcomeUnknown … the request may have been run and billed
└── APIStatusError            the service refused
    ├── BadRequestError       400, 413, 422 and any 4xx not named here
    ├── AuthenticationError   401
    ├── PermissionDeniedError 403
    ├── NotFoundError         404
    ├── ConflictError         409
    ├── RateLimitError        429: slow down
    │   └── TokenLimitError   too many enqueued tokens: wait for running batches
    ├── QuotaError            402, or 429 for want of money
    └── ServerError           5xx
"""


class BatchClientError(Exception):
    """Say that a call failed, and how.

    `status` is the HTTP status (None without an answer); `code`, `type` and `param` are the service's own words;
    `retry_after` is the wait the service asked for, in seconds and not capped; `attempts` counts the requests made;
    `body` is the refusal as it came, but for the key (b"" without one).
    `retryable` says that the same call may succeed later and that making it again does no harm.
    """

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
        self.message = message
        self.status = status
        self.code = code
        self.type = type
        self.param = param
        self.request_id = request_id
        self.retryable = self.retryable_by_nature if retryable is None else retryable
        self.retry_after = retry_after
        self.body = body
        self.attempts = 1

    def __str__(self) -> str:
        known = [("status", self.status), ("code", self.code), ("param", self.param), ("request id", self.request_id)]
        facts = ", ".join(f"{name} {value}" for name, value in known if value is not None)
        return f"{self.message} ({facts})" if facts else self.message


class InvalidArgumentError(BatchClientError, ValueError):
    """Refuse an argument; nothing was sent."""


class SourceError(BatchClientError):
    """Report an upload source that broke or is not as long as it said; the service never got a whole request."""


class APIConnectionError(BatchClientError):
    """Report that no whole answer came; `sent` is False when it is certain that nothing reached the service."""

    retryable_by_nature = True
    sent = True


class APITimeoutError(APIConnectionError):
    """Report that no whole answer came in time."""


class DownloadIncomplete(APIConnectionError):  # noqa: N818 - it names the state, as the design's words do
    """Report a body that stayed short after every continuation; nothing short was ever passed off as whole."""


class ProtocolError(BatchClientError):
    """Report an answer that is not what the contract says: not JSON, no id, an unexpected redirect."""


class OutcomeUnknown(BatchClientError):  # noqa: N818 - it names the state, as the design's words do
    """Report a POST whose answer was lost: its effect may or may not have happened."""


class CreateOutcomeUnknown(OutcomeUnknown):
    """Report a lost answer to `create_batch`; creating again blindly may pay twice."""


class UploadOutcomeUnknown(OutcomeUnknown):
    """Report a lost answer to `create_file`; uploading again costs at most an unused file."""

    retryable_by_nature = True


class RequestOutcomeUnknown(OutcomeUnknown):
    """Report a lost answer to `send`; sending again may pay twice."""


class APIStatusError(BatchClientError):
    """Carry the service's refusal."""


class BadRequestError(APIStatusError):
    """Report a request the service will never take as it is."""


class AuthenticationError(APIStatusError):
    """Report a missing, wrong or expired key."""


class PermissionDeniedError(APIStatusError):
    """Report a key without the right."""


class NotFoundError(APIStatusError):
    """Report an id the service does not know, or does not show to this key."""


class ConflictError(APIStatusError):
    """Report a request that does not fit the object's present state."""


class RateLimitError(APIStatusError):
    """Report too many requests; certainly not executed."""

    retryable_by_nature = True


class TokenLimitError(RateLimitError):
    """Report too many enqueued tokens for the model; there is room again when running batches end."""


class QuotaError(APIStatusError):
    """Report a spending limit or an empty account; someone must pay before it works again."""


class ServerError(APIStatusError):
    """Report the service's own failure."""

    retryable_by_nature = True
