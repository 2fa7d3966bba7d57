"""HTTP at the front door: reading requests, and errors in OpenAI's envelope with a request id on every answer."""

from http import HTTPStatus
from typing import Any

import msgspec
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from batchyard.errors import ApiError
from batchyard.log import logger

app = APIGatewayHttpResolver(serializer=lambda answer: msgspec.json.encode(answer).decode())


def tenant() -> str:
    """Return the tenant the authorizer found."""
    lambda_context: dict[str, Any] = app.current_event.request_context.authorizer.get_lambda or {}
    return str(lambda_context["tenant"])


def header(name: str) -> str | None:
    """Return a request header; `name` in lower case."""
    return app.current_event.headers.get(name)


def query(name: str) -> str | None:
    """Return a query parameter."""
    return app.current_event.query_string_parameters.get(name)


def body() -> object:
    """Decode the request's JSON body; raises ApiError 400."""
    try:
        return msgspec.json.decode(app.current_event.decoded_body or "")
    except (ValueError, RecursionError) as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"The body could not be read as JSON: {error}.") from error


def _with_request_id(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    answer: Response[Any] = next_middleware(app)
    answer.headers["x-request-id"] = app.lambda_context.aws_request_id
    return answer


app.use([_with_request_id])


@app.exception_handler(ApiError)  # type: ignore[untyped-decorator]  # powertools leaves it untyped
def _refused(error: ApiError) -> Response[str]:
    return _answer(error)


@app.not_found
def _unknown_route(_: NotFoundError) -> Response[str]:
    path = app.current_event.path
    return _answer(ApiError(HTTPStatus.NOT_FOUND, f"Unknown request URL: {app.current_event.http_method} {path}."))


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]  # as above
def _failed(error: Exception) -> Response[str]:
    logger.exception("request failed", error=type(error).__name__)
    return _answer(ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "The request failed on our side. Try again."))


def _answer(error: ApiError) -> Response[str]:
    headers = {"x-request-id": app.lambda_context.aws_request_id}
    envelope = msgspec.json.encode(error.envelope()).decode()
    return Response(error.status, "application/json", envelope, headers=headers)
