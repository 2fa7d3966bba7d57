"""The frame of the HTTP API: the tenant of a request, its parts, and every error in OpenAI's envelope."""

import base64
import time
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.api import openapi
from batchyard.api.api_keys import KeyCache
from batchyard.api.content import Content, takes_gzip
from batchyard.domain import nesting
from batchyard.domain.errors import ApiError
from batchyard.domain.stored_file import disposition
from batchyard.observability import logger
from batchyard.services import Services

# Routes that answer without a key. The provider's webhook is checked by its signature.
OPEN: Final = {
    ("GET", "/health"), ("GET", "/v1/health"), ("GET", "/v1/openapi.json"), ("POST", "/v1/webhooks/provider"),
}  # fmt: skip
VERSION: Final = "2020-10-01"  # of OpenAI's API, as OpenAI's service names it
MODELS: Final = "/v1/models/"
JSON: Final = "application/json"
_NOT_FOLLOWED: Final = ApiError(
    HTTPStatus.FOUND,
    "The content is at the address in 'url' and in the header 'location', for an hour and without a key: have your "
    "client follow redirects (curl -L, httpx follow_redirects=True), or GET that address.",
    code="redirect_not_followed",
)

app = APIGatewayHttpResolver(serializer=lambda answer: msgspec.json.encode(answer).decode())


def answer(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway (payload 2.0); every answer carries the id of its request."""
    began = time.perf_counter()
    answered = app.resolve(_one_piece(event), context)
    milliseconds = (time.perf_counter() - began) * 1_000
    answered["headers"] |= {
        "x-request-id": context.aws_request_id, "openai-version": VERSION, "openai-processing-ms": f"{milliseconds:.0f}",
    }  # fmt: skip
    return answered


def _one_piece(event: dict[str, Any]) -> dict[str, Any]:
    """Quote the name of a model in the path: it may hold slashes, and a parameter of a path is one piece."""
    path = event["rawPath"]
    if not path.startswith(MODELS):
        return event
    model = quote(unquote(path.removeprefix(MODELS)), safe="", errors="replace")
    return {**event, "rawPath": f"{MODELS}{model}"}


def tenant() -> str:
    """Return the tenant whose key the request carries."""
    return str(app.context["tenant"])


def header(name: str) -> str | None:
    """Return a header of the request; `name` is in lower case."""
    return app.current_event.headers.get(name)


def headers() -> dict[str, str]:
    """Return all headers of the request; names are in lower case."""
    return dict(app.current_event.headers)


def query(name: str) -> str | None:
    """Return a query parameter; None if it is absent or empty."""
    return app.current_event.query_string_parameters.get(name) or None


def body() -> object:
    """Decode the JSON body of the request; raises ApiError 415 or 400."""
    kind = (header("content-type") or JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        message = f"Unsupported content type: '{kind[:64]}'. Send the body as '{JSON}'."
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message, code="unsupported_content_type")
    try:
        return nesting.decode(app.current_event.decoded_body or "")
    except ValueError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"The body could not be read as JSON: {error}.") from error


def optional_body() -> object:
    """Decode the JSON body of the request; no body at all is an empty object. Raises ApiError 415 or 400."""
    return body() if app.current_event.body else {}


def raw_body() -> bytes:
    """Return the bytes of the body; API Gateway hands over anything but JSON and text in base64."""
    event = app.current_event
    text = event.body or ""
    return base64.b64decode(text) if event.is_base64_encoded else text.encode("utf-8", "surrogatepass")


def gzip() -> bool:
    """Tell whether the client unpacks gzip by itself."""
    return takes_gzip(header("accept-encoding"))


def inline_or_elsewhere(content: Content, kind: str = "application/octet-stream") -> Response[Any]:
    """Answer with bytes, or redirect the client to a URL; a client that does not follow is told that it must."""
    sent = {"Content-Disposition": disposition(content.filename), "Vary": "Accept-Encoding"}
    if content.data is None:
        body = msgspec.json.encode({**_NOT_FOLLOWED.envelope(), "url": content.url}).decode()
        return Response(HTTPStatus.FOUND, JSON, body, headers={"location": content.url or "", "Vary": sent["Vary"]})
    if content.packed:
        return _Packed(HTTPStatus.OK, kind, content.data, headers={**sent, "Content-Encoding": "gzip"})
    # JSON goes as text, because powertools would encode its bytes again.
    return Response(HTTPStatus.OK, kind, content.data.decode() if kind == JSON else content.data, headers=sent)


class _Packed(Response[Any]):
    """Bytes that powertools must not encode again, although they may be JSON when they are unpacked."""

    def is_json(self) -> bool:
        return False


def _require_key(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    if (app.current_event.http_method, app.current_event.path) not in OPEN:
        app.context["tenant"] = _tenant(app.current_event.headers.get("authorization"))
    answered: Response[Any] = next_middleware(app)
    return answered


def _tenant(authorization: str | None) -> str:
    if not authorization:
        message = "No API key was given. Send it in a header, as 'Authorization: Bearer YOUR_KEY'."
        raise ApiError(HTTPStatus.UNAUTHORIZED, message)
    found = _key_cache(services.current()).tenant_of(authorization)
    if found is None:
        message = "Incorrect API key provided: it is unknown or revoked. Whoever runs this service makes keys."
        raise ApiError(HTTPStatus.UNAUTHORIZED, message, code="invalid_api_key")
    return found


@lru_cache(maxsize=1)
def _key_cache(process: Services) -> KeyCache:
    """Make the cache of keys of this process."""
    return KeyCache(process.api_key_store, process.clock, process.settings.max_requests_per_minute)


app.use([_require_key])


@app.get("/health")
@app.get("/v1/health")
def _health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/v1/openapi.json")
def _describe() -> Response[str]:
    return Response(200, JSON, openapi.text(private_webhooks=services.current().settings.private_webhooks))


def _refused(error: ApiError) -> Response[str]:
    envelope = msgspec.json.encode(error.envelope()).decode()
    return Response(error.status, JSON, envelope, headers=dict(error.headers))


def _unknown_route(_: NotFoundError) -> Response[str]:
    method, path = app.current_event.http_method, app.current_event.path
    allowed = openapi.allowed(path)
    if not allowed or method in allowed:  # no such path, or an id in the path that cannot be
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
