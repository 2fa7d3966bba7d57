"""What to do about an error of the provider: the one table from an error to a reaction."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from batch_client import (
    MONEY_CODES,
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    ConflictError,
    FileTooLargeError,
    InvalidArgumentError,
    NotFoundError,
    OutcomeUnknown,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RateLimitError,
    ServerError,
    SourceError,
)
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import NotFound


class Reaction(StrEnum):
    """What to do next with a shard."""

    #: Do the same again later, but not for ever.
    RETRY = "retry"
    #: Wait for room, then create a new provider batch from the same file.
    REUSE = "reuse"
    #: Wait, then upload the lines again and create a new provider batch.
    UPLOAD = "upload"
    #: Do the same again later, some times: the provider refused, and named no fault that lasts.
    ASK_AGAIN = "ask_again"
    #: Send smaller files, or fewer lines.
    CUT = "cut"
    #: Wait for an operator, and try again now and then.
    PAUSE = "pause"
    #: Record the named lines as errors, and send the rest again.
    REJECT_LINES = "reject_lines"
    #: Record the unfinished lines as errors.
    FAIL_LINES = "fail_lines"


class Outcome(StrEnum):
    """What an answer means for its line."""

    #: Final.
    SUCCEEDED = "succeeded"
    #: Final.
    REFUSED = "refused"
    #: The line is sent again, which costs it a try.
    TRANSIENT = "transient"
    #: The line is sent again, which costs it no try.
    UNFINISHED = "unfinished"


CAPACITY: Final = frozenset({"token_limit_exceeded", "quotaExceeded"})
OPERATOR: Final = MONEY_CODES | {"invalid_api_key", "account_deactivated"}
OPERATOR_STATUSES: Final = frozenset({401, 403})
# No money; a key that is refused, with whatever status; a key or address that cannot be sent.
OPERATOR_ERRORS: Final = (QuotaError, AuthenticationError, InvalidArgumentError)
OK, REDIRECT, BAD_REQUEST, SERVER_ERROR = 200, 300, 400, 500
REQUEST_TIMEOUT, CONFLICT, TOO_MANY = 408, 409, 429
TRANSIENT_STATUSES: Final = frozenset({REQUEST_TIMEOUT, CONFLICT, TOO_MANY})
LEAST_STATUS, MOST_STATUS = 100, 599  # any other number, such as 0, is no status
UNFINISHED_CODES: Final = frozenset({"batchexpired", "batchcancelled", "batchcanceled"})
OUTCOME_UNKNOWN: Final = "outcome_unknown"  # our own code: the line may have been run and billed, so this is final
PASSING_STATUSES: Final = frozenset({408, 409, 423, 425, 429})
PASSING: Final = (OutcomeUnknown, ProtocolError, SourceError)
FILE_PARAMS: Final = frozenset({"file_id", "input_file_id"})  # the file may be there, or be ready, a little later
# What is wrong with the request itself: no time can mend it.
LASTING_CODES: Final = frozenset({
    "missing_required_parameter", "unknown_parameter", "unsupported_parameter", "unsupported_value", "invalid_value",
    "invalid_type", "invalid_json", "invalid_url", "invalid_method", "invalid_model", "unsupported_model", "model_not_found",
    "model_mismatch", "mismatched_model", "url_mismatch", "unsupported_endpoint", "unsupported_country_region_territory",
    "streaming_unsupported", "invalid_json_line", "duplicate_custom_id", "missing_custom_id", "empty_file", "empty_batch",
    "content_policy_violation", "content_filter", "context_length_exceeded", "integer_above_max_value",
    "integer_below_min_value", "decimal_above_max_value", "decimal_below_min_value", "string_above_max_length",
    "string_below_min_length", "array_above_max_length", "array_below_min_length", "object_above_max_properties",
})  # fmt: skip
# The members of our requests that are the same at every try: the first word of `metadata.batchyard_attempt`, too.
LASTING_PARAMS: Final = frozenset({
    "completion_window", "endpoint", "expires_after", "metadata", "output_expires_after", "purpose"
})  # fmt: skip
INVALID_VALUE: Final = "invalid_value"  # of a file id: the provider does not know the file yet
LONGEST_READ: Final = 200  # characters of a code
LONGEST_CODE: Final = 64  # characters of a code that are kept
INVALID_KEY: Final = "invalid_api_key"
# What the code of a line's error means, if the line has no HTTP status; compared in lower case, letters and digits alone.
USERS_CODES: Final = (
    r"(?:invalid|missing)(?!response|output|answer).*"
    r"|(?:unsupported|unknownparam|unrecognized|malformed|duplicate|badrequest|unprocessable|validation|contextlength).*"
    r"|(?:contentfilter|contentpolicy|moderation|permission|forbidden|streaming).*"
    r"|.*(?:notfound|notfounderror|notsupported|toolong|toolarge|violation|(?:abovemax|belowmin)\w*)"
)
STATUS_CODE: Final = r"(?:http|status|error)*([45][0-9]{2})"
UNAUTHORIZED: Final = 401
ABSENT_STATUSES: Final = frozenset({404, 405, 501})
FILE_TOO_LARGE: Final = "file_too_large"
# The file has more lines, or more inputs in its lines, than one batch may have: Azure's word first.
TOO_MANY_LINES: Final = frozenset({"too_many_tasks", "too_many_requests_in_batch", "too_many_embedding_inputs"})


def after_failed_call(error: BatchClientError) -> Reaction:
    """Decide what follows a call that failed."""
    if error.status in OPERATOR_STATUSES or error.code in OPERATOR or isinstance(error, OPERATOR_ERRORS):
        return Reaction.PAUSE
    if isinstance(error, SourceError) and isinstance(error.__cause__, NotFound):
        return Reaction.FAIL_LINES  # what was to be sent is gone
    if error.code in CAPACITY:
        return Reaction.REUSE
    if isinstance(error, FileTooLargeError) or error.code in TOO_MANY_LINES:
        return Reaction.CUT
    if error.retryable or error.status in PASSING_STATUSES or isinstance(error, PASSING):
        return Reaction.RETRY
    return _after_refusal(error)


def _after_refusal(error: BatchClientError) -> Reaction:
    param = (error.param or "").split(".")[0]
    if error.code in LASTING_CODES and (param not in FILE_PARAMS or error.code != INVALID_VALUE):
        return Reaction.FAIL_LINES
    if param in FILE_PARAMS or isinstance(error, NotFoundError):
        return Reaction.UPLOAD
    return Reaction.FAIL_LINES if param in LASTING_PARAMS else Reaction.ASK_AGAIN


def after_failed_batch(errors: Iterable[BatchError]) -> Reaction:
    """Decide what follows a provider batch that ended `failed`; an unknown code counts as transient."""
    seen = list(errors)
    codes = {error.code for error in seen}
    if codes & OPERATOR:
        return Reaction.PAUSE
    if codes & CAPACITY:
        return Reaction.REUSE
    if any(error.code in {FILE_TOO_LARGE, *TOO_MANY_LINES} and not error.line for error in seen):
        return Reaction.CUT
    if any(error.param in FILE_PARAMS and not error.line for error in seen):
        return Reaction.UPLOAD
    return Reaction.REJECT_LINES if any(error.line for error in seen) else Reaction.RETRY


def of_status(status: int) -> Outcome:
    """Classify a line by the HTTP status of its answer."""
    if OK <= status < REDIRECT:
        return Outcome.SUCCEEDED
    transient = status in TRANSIENT_STATUSES or status >= SERVER_ERROR or status < BAD_REQUEST
    return Outcome.TRANSIENT if transient else Outcome.REFUSED


def of_code(code: str) -> Outcome:
    """Classify a line without a status by the code of its error, which may be a status such as `422` or `http_422`."""
    plain = re.sub(r"[^0-9a-z]", "", code[:LONGEST_READ].lower())
    if plain in UNFINISHED_CODES:
        return Outcome.UNFINISHED
    if (found := re.fullmatch(STATUS_CODE, plain)) is not None:
        return of_status(int(found[1]))
    if code in OPERATOR:  # it was not run, and is as long as an operator lets it wait
        return Outcome.UNFINISHED
    if "timeout" in plain or "timedout" in plain:  # no fault of the request, whatever else it says
        return Outcome.TRANSIENT
    return Outcome.REFUSED if code == OUTCOME_UNKNOWN or re.fullmatch(USERS_CODES, plain) else Outcome.TRANSIENT


def is_absent(error: BatchClientError) -> bool:
    """Tell whether the provider may not have the call at all, or not at this address."""
    return error.status in ABSENT_STATUSES and (error.param or "") not in FILE_PARAMS


def is_key_refused(error: BatchClientError) -> bool:
    """Tell whether it is our key that the provider refuses."""
    return isinstance(error, AuthenticationError) or error.status == UNAUTHORIZED or error.code == INVALID_KEY


def is_sure_refusal(error: BatchClientError) -> bool:
    """Tell whether a create made no batch: a timeout, a conflict or a failing server may come after the effect.

    A request that was never sent made none either: without a connection, or with a key that no header can carry.
    """
    if isinstance(error, APIConnectionError):
        return not error.sent
    unsure = isinstance(error, ServerError | ConflictError) or error.status == REQUEST_TIMEOUT
    return isinstance(error, APIStatusError | InvalidArgumentError) and not unsure


def may_go_without_tier(error: BatchClientError) -> bool:
    """Tell whether a request with a service tier was surely not run: the tier has no room for it, or does not take it.

    Words differ, so each refusal counts; a request that is at fault itself is refused without the tier, too.
    """
    return isinstance(error, RateLimitError | BadRequestError | PermissionDeniedError)


def what_failed(call: str, error: BatchClientError) -> str:
    """Name a call that failed, what was answered, and the provider's words."""
    if error.status is None:
        return f"{call} failed: {error.message}"
    code = f" ({error.code[:LONGEST_CODE]})" if error.code else ""
    return f"{call} was answered {error.status}{code}: {error.message}"
