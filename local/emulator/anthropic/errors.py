"""The refusals of Anthropic's API: `{"type": "error", "error": {"type", "message"}, "request_id"}` with an HTTP status."""

from typing import Any, Final

from local.emulator.errors import ApiError

KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def refused(status: int, message: str) -> ApiError:
    """Return a refusal; its type is that of the status."""
    return ApiError(status, message, kind=kind_of(status))


def kind_of(status: int) -> str:
    """Return the type of the errors with a status."""
    return KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")


def envelope(error: ApiError) -> dict[str, Any]:
    """Return the body of a refusal, without the id of its request."""
    return error_object(str(error.error["type"]), str(error.error["message"]), error.error.get("details"))


def error_object(kind: str, message: str, details: object = None) -> dict[str, Any]:
    """Return an error, as refusals and errored requests have it."""
    told = {"type": kind, "message": message, **({} if details is None else {"details": details})}
    return {"type": "error", "error": told}


def no_such_batch(batch_id: str) -> ApiError:
    """Return the refusal of an unknown or deleted batch."""
    return refused(404, f"Could not find message batch with id {batch_id}")
