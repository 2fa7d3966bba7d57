"""The refusals of Anthropic's API: `{"type": "error", "error": {"type", "message"}, "request_id"}` with an HTTP status."""

from typing import Any

from local.emulator import messages
from local.emulator.errors import ApiError


def refused(status: int, message: str) -> ApiError:
    """Return a refusal; its type is that of the status."""
    return ApiError(status, message, kind=messages.refused(status, message)["error"]["type"])


def envelope(error: ApiError) -> dict[str, Any]:
    """Return the body of a refusal, without the id of its request."""
    told = messages.refused(error.status, str(error.error["message"]), error.error["type"])
    if error.error.get("details") is not None:
        told["error"]["details"] = error.error["details"]
    return told


def no_such_batch(batch_id: str) -> ApiError:
    """Return the refusal of an unknown or deleted batch."""
    return refused(404, f"Could not find message batch with id {batch_id}")
