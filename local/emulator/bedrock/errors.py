"""The refusals of AWS: a message in the body, the type in a header, and an HTTP status that says little."""

from typing import Any, Final

from local.emulator.errors import ApiError

TYPE: Final = "x-amzn-errortype"
VALIDATION, CONFLICT, QUOTA = "ValidationException", "ConflictException", "ServiceQuotaExceededException"
_STATUSES: Final = {
    VALIDATION: 400, CONFLICT: 400, QUOTA: 400, "AccessDeniedException": 403, "UnrecognizedClientException": 403,
    "ResourceNotFoundException": 404, "ThrottlingException": 429, "ModelErrorException": 424, "ModelTimeoutException": 408,
    "InternalServerException": 500, "ServiceUnavailableException": 503,
}  # fmt: skip
_KINDS: Final = {status: kind for kind, status in reversed(_STATUSES.items())}
ALLOWED: Final = tuple(_STATUSES)


def refused(kind: str, message: str) -> ApiError:
    """Return a refusal of this type."""
    return ApiError(_STATUSES[kind], message, kind=kind)


def of_status(status: int, message: str) -> ApiError:
    """Return a refusal with this status, and the type that mostly has it."""
    return ApiError(status, message, kind=_KINDS.get(status, VALIDATION if status < 500 else "InternalServerException"))


def no_such_job(job_id: str) -> ApiError:
    """Return the refusal of an unknown job."""
    return refused("ResourceNotFoundException", f"Could not find a model invocation job for {job_id[:200]}.")


def body_of(error: ApiError) -> dict[str, Any]:
    """Return the body of a refusal."""
    return {"message": error.error["message"]}
