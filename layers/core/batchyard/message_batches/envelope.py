"""Errors of the HTTP API in Anthropic's envelope."""

from http import HTTPStatus
from typing import Final

import msgspec

from batchyard.domain.errors import ApiError
from batchyard.gateway.response import Response
from batchyard.lines.messages import MESSAGES

# Source: Anthropic's API reference, errors.
KINDS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "authentication_error", HTTPStatus.PAYMENT_REQUIRED: "billing_error",
    HTTPStatus.FORBIDDEN: "permission_error", HTTPStatus.NOT_FOUND: "not_found_error", HTTPStatus.CONFLICT: "conflict_error",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large", HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.GATEWAY_TIMEOUT: "timeout_error", 529: "overloaded_error",
}  # fmt: skip
REQUEST_ID: Final = "request-id"
API_KEY: Final = "x-api-key"  # a header that clients send on to wherever they are redirected


def is_for(path: str) -> bool:
    """Tell whether a path is one of Anthropic's."""
    return path == MESSAGES or path.startswith(f"{MESSAGES}/")


def kind_of(status: int) -> str:
    """Name the kind of an error by its status."""
    users = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return KINDS.get(status, "invalid_request_error" if users else "api_error")


def refusal(error: ApiError, request_id: str) -> Response:
    """Answer with an error; characters that UTF-8 cannot carry are replaced."""
    told = {"type": kind_of(error.status), "message": str(error).encode("utf-8", "replace").decode()}
    body = msgspec.json.encode({"type": "error", "error": told, "request_id": request_id})
    return Response(body, error.status, headers=dict(error.headers))
