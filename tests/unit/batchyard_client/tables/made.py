"""Result lines as a provider and Batchyard write them."""

import json
from collections.abc import Iterator
from typing import Any

from batchyard_client.tables import Recipe

ASK = Recipe(model="m", prompt="Say: {text}")


def line(row: int, body: dict[str, Any], status: int = 200, error: Any = None) -> bytes:
    response = {"status_code": status, "request_id": "r", "body": body}
    found = {"id": f"batch_req_{row}", "custom_id": f"row-{row}", "response": response, "error": error}
    return json.dumps(found).encode() + b"\n"


def chat(row: int, text: str | None = "good", **more: Any) -> bytes:
    message = {"role": "assistant", "content": text, **more}
    body = {
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}},
    }
    return line(row, body)


def refused(row: int) -> bytes:
    return line(row, {"error": {"code": "context_length_exceeded", "message": "Too long"}}, 400)


def expired(row: int) -> bytes:
    error = {"code": "batch_expired", "message": "Not done in time"}
    return json.dumps({"custom_id": f"row-{row}", "response": None, "error": error}).encode()


def chats(rows: int) -> Iterator[bytes]:
    return map(chat, range(1, rows + 1))


def bodies(lines: Iterator[bytes]) -> list[Any]:
    return [json.loads(each)["body"] for each in lines]


def prompts(lines: Iterator[bytes]) -> list[str]:
    return [body["messages"][-1]["content"] for body in bodies(lines)]
