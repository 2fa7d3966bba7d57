"""What a provider's files may hold for a line."""

from __future__ import annotations

import json
from typing import Any, Final

# Lines the provider ran and is paid for; of these, the ones whose answer can be read of its files.
RAN: Final = frozenset({"good", "twice", "stranger", "missing", "malformed"})
READABLE: Final = frozenset({"good", "twice", "stranger"})
STATUSES: Final = {"refused": 400, "unavailable": 503, "slow down": 429, "zero": 0}
UNRUN: Final = {"expired": "batch_expired", "timed out": "request_timeout", "cancelled": "batch_cancelled"}


def answer(custom_id: str, sort: str, batch_id: str, tokens: int = 3) -> list[bytes]:
    """Write what the provider's files hold for a line: none, one or two lines."""
    if sort == "missing":
        return []
    body: Any = {"object": "chat.completion", "from": batch_id,
                 "usage": {"prompt_tokens": tokens, "completion_tokens": 2, "total_tokens": tokens + 2}}  # fmt: skip
    shape: dict[str, Any] = {"id": f"batch_req_{batch_id}_{custom_id}", "custom_id": custom_id, "error": None}
    if sort in RAN:
        shape["response"] = {"status_code": 200, "request_id": "r", "body": body}
    elif sort in STATUSES:
        body = {"error": {"code": sort, "message": "no"}}
        shape["response"] = {"status_code": STATUSES[sort], "request_id": "r", "body": body}
    else:
        shape |= {"response": None, "error": {"code": UNRUN[sort], "message": "not run"}}
    line = json.dumps(shape).encode() + b"\n"
    stranger = json.dumps({**shape, "custom_id": f"nobody-{custom_id}"}).encode() + b"\n"
    odd = {"twice": [line, line], "stranger": [line, stranger], "malformed": [line[: len(line) // 2] + b"\n"]}
    return odd.get(sort, [line])
