"""What every operation of Bedrock has in common: the signature or the key, the shape of refusals, the headers."""

import hashlib
import hmac
import re
from typing import Any, Final

from starlette.requests import Request

from local.emulator.bedrock import errors
from local.emulator.errors import ApiError
from local.emulator.faults import CallFault
from local.emulator.operations import Operation
from local.emulator.reply import Reply

_KIND: Final = "__type"
_SIGNED: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=[0-9a-f]{64}"
)
_MUST_BE_SIGNED: Final = ("host", "x-amz-date")


class BedrockOperation(Operation):
    """One operation of Bedrock as an ASGI application."""

    def check_caller(self, request: Request) -> None:
        """Refuse a request that is neither signed for Bedrock nor has one of its API keys.

        A signature is not reckoned, as the emulator knows no secrets. Of both the key, or its id, must be the one accepted.
        """
        header = request.headers.get("authorization", "")
        scheme, _, bearer = header.partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else _signer(header)
        wanted = self._state.scenario.api_key or self._state.api_key
        if not key:
            raise ApiError(403, "Missing Authentication Token", kind="MissingAuthenticationTokenException")
        if wanted is not None and not hmac.compare_digest(key.encode(), wanted.encode()):
            raise errors.refused(
                "UnrecognizedClientException", "The security token included in the request is invalid."
            )

    def envelope(self, error: ApiError) -> dict[str, Any]:
        """Return the body of a refusal, and its type for the header."""
        return {**errors.body_of(error), _KIND: error.error["type"]}

    def ordered_error(self, status: int) -> ApiError:
        """Return the error that a fault orders by its status alone."""
        return errors.of_status(status, f"The emulator answers {status} on order.")

    def headers(self, request_id: str, began: float) -> dict[str, str]:  # noqa: ARG002 # OpenAI's API tells the time, too
        """Return the headers of every answer."""
        return {"x-amzn-requestid": request_id}

    def note(self, call: dict[str, Any], reply: Reply, fault: CallFault) -> None:
        """Put the type of a refusal into its header."""
        if isinstance(reply.payload, dict) and _KIND in reply.payload:
            reply.headers[errors.TYPE] = f"{reply.payload.pop(_KIND)}:http://internal.amazon.com/"
        super().note(call, reply, fault)


class OpenAIOperation(BedrockOperation):
    """One operation of OpenAI's batches on Bedrock: its refusals have OpenAI's body, and the header of AWS."""

    def envelope(self, error: ApiError) -> dict[str, Any]:
        """Return the body of a refusal, and its type for the header."""
        return {**error.envelope(), _KIND: error.error["type"]}


def _signer(header: str) -> str:
    """Return the id of the access key that signed a request; raise ApiError for a signature of another service."""
    found = _SIGNED.fullmatch(header)
    if found is None:
        return ""
    key, _, service, names = found.groups()
    if service != "bedrock" or not set(_MUST_BE_SIGNED) <= set(names.split(";")):
        kind = "InvalidSignatureException"
        raise ApiError(
            403, f"The signature must be of the service bedrock, over {', '.join(_MUST_BE_SIGNED)}.", kind=kind
        )
    return key


def check_body(request: Request, body: bytes) -> None:
    """Raise ApiError for a body that is not the signed one."""
    told = request.headers.get("x-amz-content-sha256")
    if told is not None and told != hashlib.sha256(body).hexdigest():
        raise ApiError(403, "The request body is not the one that was signed.", kind="InvalidSignatureException")
