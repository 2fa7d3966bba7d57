"""A response to API Gateway."""

import base64
import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from batchyard.domain.errors import ApiError
from batchyard.domain.stored_file import disposition
from batchyard.gateway.content import Content
from batchyard.gateway.request import JSON

_NOT_FOLLOWED: Final = ApiError(
    HTTPStatus.FOUND,
    "The content is at the address in 'url' and in the header 'location', for an hour and without a key: have your "
    "client follow redirects (curl -L, httpx follow_redirects=True), or GET that address.",
    code="redirect_not_followed",
)


class Response(msgspec.Struct, frozen=True):
    """What the client gets."""

    body: bytes
    status: int = HTTPStatus.OK
    content_type: str = JSON
    headers: Mapping[str, str] = {}

    def payload(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """Return what API Gateway wants (payload format 2.0), with these headers, too; JSON goes as text, as it can be read."""
        sent = {"Content-Type": self.content_type, **self.headers, **headers}
        readable = self.content_type == JSON and "Content-Encoding" not in sent
        text = self.body.decode() if readable else base64.b64encode(self.body).decode()
        return {"statusCode": int(self.status), "headers": sent, "body": text, "isBase64Encoded": not readable}


def comparable(response: Response, known: str | None) -> Response:
    """Give JSON that was read an ETag; it is not sent again to a client that has it, whose `If-None-Match` is `known`."""
    if response.status != HTTPStatus.OK or response.content_type != JSON:
        return response
    etag = f'W/"{hashlib.blake2b(response.body, digest_size=12).hexdigest()}"'
    headers = {**response.headers, "ETag": etag}
    if known == etag:
        return Response(b"", HTTPStatus.NOT_MODIFIED, headers=headers)
    return msgspec.structs.replace(response, headers=headers)


def json_response(value: object) -> Response:
    """Answer with a value as JSON."""
    return Response(msgspec.json.encode(value))


def refusal(error: ApiError) -> Response:
    """Answer with an error, in OpenAI's envelope."""
    return Response(msgspec.json.encode(error.envelope()), error.status, headers=dict(error.headers))


def inline_or_elsewhere(content: Content, content_type: str = "application/octet-stream") -> Response:
    """Answer with bytes, or redirect the client to a URL; a client that does not follow is told that it must."""
    sent = {"Vary": "Accept-Encoding"}
    if content.data is None:
        told = msgspec.json.encode({**_NOT_FOLLOWED.envelope(), "url": content.url})
        return Response(told, HTTPStatus.FOUND, headers={**sent, "location": content.url or ""})
    sent["Content-Disposition"] = disposition(content.filename)
    if content.packed:
        sent["Content-Encoding"] = "gzip"
    return Response(content.data, HTTPStatus.OK, content_type, sent)
