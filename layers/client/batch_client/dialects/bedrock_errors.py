"""What the refusals of Amazon Bedrock mean, where the status alone would mislead; and why its jobs fail."""

import re
from typing import Final

from ..errors import (
    APIStatusError,
    BatchClientError,
    ConflictError,
    FileTooLargeError,
    TokenLimitError,
    recast,
)
from ..models import BatchError
from ..profiles.rows import BEDROCK

NO_ROOM, TOO_LARGE, NO_RIGHT = "token_limit_exceeded", "file_too_large", "invalid_api_key"
_UNEXPLAINED: Final = "Amazon Bedrock failed the job and did not say why."
_QUOTA: Final = "ServiceQuotaExceededException"
_CONFLICT: Final = "ConflictException"
# A quota of one job, which has too much in it; any other quota is that of all jobs.
_SIZE: Final = r"\b(records|bytes|size|[kmg]b)\b"
_TOO_FEW: Final = r"\b(minimum|at least|less|fewer)\b"
_FULL: Final = r"\b(quotas?|throttl\w+|too many|concurrent)\b"


def refused(error: BatchClientError) -> BatchClientError:
    """Return the error with the meaning of a refusal: it is the type that tells, as most have the status 400."""
    if not isinstance(error, APIStatusError):
        return error
    if error.type == _QUOTA:
        if _is_of_size(error.message):
            return recast(FileTooLargeError, error, code=TOO_LARGE, retryable=False)
        return recast(TokenLimitError, error, code=NO_ROOM, retryable=True)
    if error.type == _CONFLICT:  # the job exists, or does something else just now
        return recast(ConflictError, error, code=error.code, retryable=True)
    return error


def problem_of(message: str | None) -> BatchError:
    """Return why a job failed as a whole, from its words alone: there is no code."""
    said = message or _UNEXPLAINED
    if _is_of_size(said):
        return BatchError(TOO_LARGE, said)
    if any(sign.code is None and sign.shows(None, (), said) for sign in BEDROCK.facts.key_refused):
        return BatchError(NO_RIGHT, said)
    return BatchError(NO_ROOM if _says(_FULL, said) else "batch_failed", said)


def _is_of_size(message: str) -> bool:
    return (
        _says(_SIZE, message)
        and _says(r"\b(exceed\w*|more|larger?|maximum|limit)\b", message)
        and not _says(_TOO_FEW, message)
    )


def _says(words: str, message: str) -> bool:
    return re.search(words, message, re.IGNORECASE) is not None
