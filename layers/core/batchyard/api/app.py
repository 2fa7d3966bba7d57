"""HTTP at the front door: whose request it is, reading it, and errors in OpenAI's envelope, whatever the request."""

import base64
import time
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.api import openapi
from batchyard.domain import nesting
from batchyard.domain.errors import ApiError
from batchyard.observability import logger

# What answers without a key; the provider's webhook proves itself by its signature.
OPEN: Final = {("GET", "/health"), ("GET", "/v1/health"), ("POST", "/v1/webhooks/provider")}
VERSION: Final = "2020-10-01"  # of OpenAI's API, as its service names it
JSON: Final = "application/json"

app = APIGatewayHttpResolver(serializer=lambda answer: msgspec.json.encode(answer).decode())


def answer(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer an HTTP API request (payload 2.0); every answer carries its request's id."""
    began = time.perf_counter()
    answered = app.resolve(event, context)
    milliseconds = (time.perf_counter() - began) * 1_000
    answered["headers"] |= {
        "x-request-id": context.aws_request_id, "openai-version": VERSION, "openai-processing-ms": f"{milliseconds:.0f}",
    }  # fmt: skip
    return answered


def tenant() -> str:
    """Return whose key the request carries."""
    return str(app.context["tenant"])


def header(name: str) -> str | None:
    """Return a request header; `name` in lower case."""
    return app.current_event.headers.get(name)


def headers() -> dict[str, str]:
    """Return all request headers; names in lower case."""
    return dict(app.current_event.headers)


def query(name: str) -> str | None:
    """Return a query parameter; one that is empty says nothing."""
    return app.current_event.query_string_parameters.get(name) or None


def body() -> object:
    """Decode the request's JSON body; raises ApiError 415 or 400."""
    kind = (header("content-type") or JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        message = f"Unsupported content type: '{kind[:64]}'. Send the body as '{JSON}'."
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message, code="unsupported_content_type")
    try:
        return nesting.decode(app.current_event.decoded_body or "")
    except ValueError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"The body could not be read as JSON: {error}.") from error


def optional_body() -> object:
    """Decode the request's JSON body; none at all is an empty object. Raises ApiError 415 or 400."""
    return body() if app.current_event.body else {}


def raw_body() -> bytes:
    """Return the request's body as its bytes were sent; API Gateway hands anything but JSON and text over in base64."""
    event = app.current_event
    text = event.body or ""
    return base64.b64decode(text) if event.is_base64_encoded else text.encode("utf-8", "surrogatepass")


def inline_or_elsewhere(content: bytes | str, kind: str = "application/octet-stream") -> Response[Any]:
    """Answer with bytes, or send the client to the URL where they are."""
    if isinstance(content, bytes):
        return Response(
            HTTPStatus.OK, kind, content.decode() if kind == JSON else content
        )  # bytes would be encoded again
    return Response(HTTPStatus.FOUND, kind, b"", headers={"location": content})


def _for_holders_of_keys(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    if (app.current_event.http_method, app.current_event.path) not in OPEN:
        app.context["tenant"] = _tenant(app.current_event.headers.get("authorization"))
    answered: Response[Any] = next_middleware(app)
    return answered


def _tenant(authorization: str | None) -> str:
    if not authorization:
        message = "No API key was given. Send it in a header, as 'Authorization: Bearer YOUR_KEY'."
        raise ApiError(HTTPStatus.UNAUTHORIZED, message)
    found = services.current().keyring.tenant_of(authorization)
    if found is None:
        message = "Incorrect API key provided: it is unknown or revoked. Whoever runs this service makes keys."
        raise ApiError(HTTPStatus.UNAUTHORIZED, message, code="invalid_api_key")
    return found


app.use([_for_holders_of_keys])


@app.get("/health")
@app.get("/v1/health")
def _health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/v1/openapi.json")
def _description() -> Response[str]:
    return Response(200, JSON, openapi.text())


def _refused(error: ApiError) -> Response[str]:
    envelope = msgspec.json.encode(error.envelope()).decode()
    return Response(error.status, JSON, envelope, headers=dict(error.headers))


def _unknown_route(_: NotFoundError) -> Response[str]:
    method, path = app.current_event.http_method, app.current_event.path
    allowed = openapi.allowed(path)
    if not allowed or method in allowed:  # where the path is ours, what it names cannot be
        return _refused(ApiError(HTTPStatus.NOT_FOUND, f"Unknown request URL: {method} {path[:200]}."))
    message = f"Not allowed to {method} on {path[:200]}. Allowed: {', '.join(allowed)}."
    error = ApiError(HTTPStatus.METHOD_NOT_ALLOWED, message, code="method_not_supported")
    error.headers["Allow"] = ", ".join(allowed)
    return _refused(error)


def _failed(error: Exception) -> Response[str]:
    logger.exception("request failed", error=type(error).__name__)
    return _refused(ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "The request failed on our side. Try again."))


app.exception_handler(ApiError)(_refused)
app.exception_handler(NotFoundError)(_unknown_route)
app.exception_handler(Exception)(_failed)
