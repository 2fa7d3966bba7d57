"""What the refusals of Amazon Bedrock mean, where the status alone would mislead; and why its jobs fail.

Words decide where there is nothing else, and whole sentences that AWS documents alone. Source: API reference of Amazon Bedrock,
CreateModelInvocationJob; user guide, Troubleshooting of custom models (roles, permissions to S3), 2026-08.
"""

import re
from typing import Final

from ..errors import (
    APIStatusError,
    AuthenticationError,
    BatchClientError,
    ConflictError,
    TokenLimitError,
    recast,
)
from ..models import BatchError
from .refusals import NO_ROOM

NO_RIGHT: Final = "invalid_api_key"
_UNEXPLAINED: Final = "Amazon Bedrock failed the job and did not say why."
_QUOTA: Final = "ServiceQuotaExceededException"  # "The number of requests exceeds the service quota. Resubmit later."
_VALIDATION: Final = "ValidationException"
_CONFLICT: Final = "ConflictException"
# A job cannot run before a person sees to its role, or to the bucket.
_NO_RIGHT: Final = r"could not (validate \w+ permissions to access|assume (the )?provided iam role)\b"


def refused(error: BatchClientError) -> BatchClientError:
    """Return the error with the meaning of a refusal: it is the type that tells, as most have the status 400."""
    if not isinstance(error, APIStatusError):
        return error
    if error.type == _QUOTA:
        return recast(TokenLimitError, error, code=NO_ROOM, retryable=True)
    if error.type == _CONFLICT:  # the job exists, or does something else just now
        return recast(ConflictError, error, code=error.code, retryable=True)
    return error


def refused_create(error: BatchClientError) -> BatchClientError:
    """Do as `refused` for the create of a job, which says of a missing right by its words alone."""
    if isinstance(error, APIStatusError) and error.type == _VALIDATION and _wants_right(error.message):
        return recast(AuthenticationError, error, code=NO_RIGHT, retryable=False)
    return refused(error)


def problem_of(message: str | None) -> BatchError:
    """Return why a job failed as a whole, from its words alone: there is no code."""
    said = message or _UNEXPLAINED
    return BatchError(NO_RIGHT if _wants_right(said) else "batch_failed", said)


def _wants_right(message: str) -> bool:
    return re.match(_NO_RIGHT, message.strip(), re.IGNORECASE) is not None
