"""What every operation of Anthropic's API has in common: the key, the version, the shape of refusals, the headers."""

import hmac
from typing import Any

from starlette.requests import Request

from local.emulator.anthropic import errors
from local.emulator.errors import ApiError
from local.emulator.faults import CallFault
from local.emulator.operations import Operation
from local.emulator.prompts import MESSAGES
from local.emulator.reply import Reply


class MessagesOperation(Operation):
    """One operation of Anthropic's API as an ASGI application."""

    def check_caller(self, request: Request) -> None:
        """Refuse a request without a key or a version; SDKs of 2026 send the key as a bearer token."""
        if is_of_gateway(request):
            super().check_caller(request)
            return
        if not request.headers.get("anthropic-version"):
            raise errors.refused(400, "anthropic-version: header is required")
        key = _key(request)
        wanted = self._state.scenario.api_key or self._state.api_key
        if not key:
            raise errors.refused(401, "x-api-key header is required")
        if wanted is not None and not hmac.compare_digest(key.encode(), wanted.encode()):
            raise errors.refused(401, "invalid x-api-key")

    def envelope(self, error: ApiError) -> dict[str, Any]:
        """Return the body of a refusal."""
        return errors.envelope(error)

    def ordered_error(self, status: int) -> ApiError:
        """Return the error that a fault orders by its status alone."""
        return errors.refused(status, f"The emulator answers {status} on order.")

    def headers(self, request_id: str, began: float) -> dict[str, str]:  # noqa: ARG002 # OpenAI's API tells the time, too
        """Return the headers of every answer."""
        return {"request-id": request_id, "anthropic-organization-id": "emulator"}

    def note(self, call: dict[str, Any], reply: Reply, fault: CallFault) -> None:
        """Name the request in a refusal, too."""
        if isinstance(reply.payload, dict) and reply.payload.get("type") == "error":
            reply.payload["request_id"] = call["request_id"]
        super().note(call, reply, fault)


def is_of_gateway(request: Request) -> bool:
    """Tell whether a single message comes as to a gateway of OpenAI's API: with its key, and without a version."""
    names = request.headers.keys()
    return request.url.path == MESSAGES and "anthropic-version" not in names and "x-api-key" not in names


def _key(request: Request) -> str:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return request.headers.get("x-api-key", "").strip() or (bearer.strip() if scheme.lower() == "bearer" else "")
