"""The answer that carries the results of a message batch, or leads to them without giving the key away."""

from http import HTTPStatus
from typing import Final

from batchyard.domain.errors import ApiError
from batchyard.gateway.content import Content
from batchyard.gateway.request import Request
from batchyard.gateway.response import Response, inline_or_elsewhere
from batchyard.message_batches.envelope import API_KEY

JSON_LINES: Final = "application/x-jsonl"
NO_REDIRECT: Final = (
    "The results are too large for one answer, and lie in S3. A client would send the header x-api-key there, too. Send the "
    "key as 'Authorization: Bearer YOUR_KEY', which no client sends on: in Anthropic's clients, auth_token (authToken)."
)


def response_of(content: Content, request: Request) -> Response:
    """Answer with the results or a redirect; raises ApiError 400 where the redirect would take the key along."""
    if content.data is None and request.header(API_KEY) is not None:
        raise ApiError(HTTPStatus.BAD_REQUEST, NO_REDIRECT)
    return inline_or_elsewhere(content, JSON_LINES)
