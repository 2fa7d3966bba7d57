"""Requests as API Gateway hands them to the front door, made by hand."""

import base64
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tests.unit.functions.test_events import Context


@dataclass(frozen=True)
class Answer:
    """What the caller would see."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(method: str, path: str, body: bytes | str | None = None, query: str = "", **headers: str) -> Answer:
    """Give a request to the API function; a header's `_` is a hyphen."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.17", "userAgent": "test"}
    event: dict[str, Any] = {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": given,
        "requestContext": {"http": http, "stage": "$default", "routeKey": "$default", "requestId": "r", "timeEpoch": 1},
        "isBase64Encoded": isinstance(body, bytes),
    }  # fmt: skip
    if body is not None:
        event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    if query:
        event["queryStringParameters"] = dict(parse_qsl(query, keep_blank_values=True))
    handler = importlib.import_module("functions.api.handler").handler
    answer = json.loads(json.dumps(handler(event, Context())))
    text = answer["body"] or ""
    return Answer(
        answer["statusCode"],
        {name.lower(): value for name, value in answer["headers"].items()},
        base64.b64decode(text) if answer["isBase64Encoded"] else text.encode(),
    )
