"""The frame of the HTTP API: the tenant of a request, and every error in OpenAI's envelope, or in Anthropic's."""

import time
from collections.abc import Callable
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, Final

from batchyard import services
from batchyard.api.api_keys import KeyCache
from batchyard.api.own_routes import router
from batchyard.console import site
from batchyard.domain.api_key import BEARER, ApiKey
from batchyard.domain.errors import ApiError, SettingsError
from batchyard.gateway.request import Request
from batchyard.gateway.response import Response, comparable, json_response, refusal
from batchyard.message_batches import envelope
from batchyard.observability import logger
from batchyard.services import Services

VERSION: Final = "2020-10-01"  # of OpenAI's API, as OpenAI's service names it


def answer(event: dict[str, Any], request_id: str) -> dict[str, Any]:
    """Answer a request of API Gateway (payload 2.0); every answer carries the id of its request."""
    began, request = time.perf_counter(), Request(event)
    as_anthropic = envelope.is_for(request.path)
    response = _respond(request, partial(envelope.refusal, request_id=request_id) if as_anthropic else refusal)
    milliseconds = (time.perf_counter() - began) * 1_000
    told = {"openai-version": VERSION, "openai-processing-ms": f"{milliseconds:.0f}"}
    return response.payload(
        {"x-request-id": request_id, **({envelope.REQUEST_ID: request_id} if as_anthropic else told)}
    )


def _respond(request: Request, refused: Callable[[ApiError], Response]) -> Response:
    try:
        if site.is_for(request.path):
            return site.answer(request, services.current().bucket.origin)
        # A path that is none needs a key, too: nobody else learns which paths there are.
        if not router.is_open(request):
            request.key = _key(_key_of(request))
            request.tenant = request.key.tenant
        route, parameters = router.find(request)
        answered = route.operation(request, **parameters)
    except ApiError as error:
        return refused(error)
    except SettingsError as error:
        logger.exception("the stack is set up wrongly")
        return refused(
            ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, f"The operator must mend a setting of this service. {error}")
        )
    except Exception as error:  # noqa: BLE001 - logged; a client needs an answer
        logger.exception("request failed", error=type(error).__name__)
        return refused(ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "The request failed on our side. Try again."))
    response = answered if isinstance(answered, Response) else json_response(answered)
    return comparable(response, request.header("if-none-match")) if request.method == "GET" else response


def _key_of(request: Request) -> str | None:
    """Return the key as an `Authorization` header carries it; Anthropic's routes take it in `x-api-key`, too."""
    key = request.header(envelope.API_KEY) if envelope.is_for(request.path) else None
    return request.header("authorization") or (key and f"{BEARER}{key}")


def _key(authorization: str | None) -> ApiKey:
    if not authorization:
        message = "No API key was given. Send it in a header, as 'Authorization: Bearer YOUR_KEY'."
        raise ApiError(HTTPStatus.UNAUTHORIZED, message)
    found = _key_cache(services.current()).opened(authorization)
    if found is None:
        message = "Incorrect API key provided: it is unknown or revoked. Whoever runs this service makes keys."
        raise ApiError(HTTPStatus.UNAUTHORIZED, message, code="invalid_api_key")
    return found


@lru_cache(maxsize=1)
def _key_cache(process: Services) -> KeyCache:
    """Make the cache of keys of this process."""
    return KeyCache(process.api_key_store, process.clock, process.settings.max_requests_per_minute)
