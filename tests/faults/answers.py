"""What a provider's files may hold for a line."""

from __future__ import annotations

import json
from typing import Any, Final

# Lines the provider ran and is paid for; of these, the ones whose answer can be read of its files.
RAN: Final = frozenset({"good", "twice", "stranger", "missing", "malformed", "mangled", "empty", "with an error"})
READABLE: Final = frozenset({"good", "twice", "stranger", "mangled", "empty", "with an error"})
STATUSES: Final = {"refused": 400, "unavailable": 503, "slow down": 429, "zero": 0}
UNRUN: Final = {"expired": "batch_expired", "timed out": "request_timeout", "cancelled": "batch_cancelled"}
REFUSED: Final = frozenset({"refused", "contradicted", "coded"})
# What a provider counts as completed, and as failed. Of a line that is in none of these, it says nothing.
COMPLETED: Final = RAN | {"zero"}
FAILED: Final = REFUSED | {"unavailable", "slow down", "timed out"}


def answer(custom_id: str, sort: str, batch_id: str, tokens: int = 3) -> list[bytes]:
    """Write what the provider's files hold for a line: none, one or two lines."""
    if sort == "missing":
        return []
    body: Any = {"object": "chat.completion", "from": batch_id,
                 "usage": {"prompt_tokens": tokens, "completion_tokens": 2, "total_tokens": tokens + 2}}  # fmt: skip
    shape: dict[str, Any] = {"id": f"batch_req_{batch_id}_{custom_id}", "custom_id": custom_id, "error": None}
    if sort == "empty":
        shape["response"] = {"status_code": 200, "request_id": "r", "body": {}}
    elif sort == "contradicted":
        shape |= {"response": {"status_code": 400, "body": None}, "error": {"code": "request_timeout", "message": "no"}}
    elif sort == "coded":
        shape["error"] = {"code": "invalid_value", "message": "no"}
    elif sort in RAN:
        shape["response"] = {"status_code": 200, "request_id": "r", "body": body}
    elif sort in STATUSES:
        body = {"error": {"code": sort, "message": "no"}}
        shape["response"] = {"status_code": STATUSES[sort], "request_id": "r", "body": body}
    else:
        shape |= {"response": None, "error": {"code": UNRUN[sort], "message": "not run"}}
    if sort == "with an error":
        shape["error"] = {"code": "odd", "message": "no"}
    line = json.dumps(shape).encode() + b"\n"
    stranger = json.dumps({**shape, "custom_id": f"nobody-{custom_id}"}).encode() + b"\n"
    mangled = line.replace(b'"chat.completion"', b'"chat\xff"')
    odd = {
        "mangled": [mangled],
        "twice": [line, line],
        "stranger": [line, stranger],
        "malformed": [line[: len(line) // 2] + b"\n"],
    }
    return odd.get(sort, [line])
