"""Lines of an input, and lines as a provider answers them."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

Request: TypeAlias = dict[str, Any]


def request(custom_id: str, model: str = "m-1", url: str = "/v1/chat/completions", **body: Any) -> Request:
    members = {"model": model, "messages": [{"role": "user", "content": custom_id}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": members}


def jsonl(requests: list[Request]) -> bytes:
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in requests)


def good(custom_id: str) -> bytes:
    body = {"object": "chat.completion", "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
    answer = {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "error": None}
    return json.dumps({**answer, "response": {"status_code": 200, "request_id": "r", "body": body}}).encode() + b"\n"


def bad(custom_id: str, status: int, code: str = "some_code") -> bytes:
    response = {"status_code": status, "request_id": "r", "body": {"error": {"code": code, "message": "no"}}}
    return json.dumps({"id": "x", "custom_id": custom_id, "response": response, "error": None}).encode() + b"\n"


def unrun(custom_id: str, code: str = "batch_expired") -> bytes:
    error = {"code": code, "message": "not run"}
    return json.dumps({"id": "x", "custom_id": custom_id, "response": None, "error": error}).encode() + b"\n"
