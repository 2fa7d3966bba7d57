"""What a provider's files may hold for a line."""

from __future__ import annotations

import json
from typing import Any, Final

# Lines the provider ran and is paid for; of these, the ones whose answer can be read of its files.
# Of an answer that not everybody can use: what it says, how it ended, and its refusal.
SAYS: Final[dict[str, tuple[str | None, str, str | None]]] = {
    "cut off": ('{"a": ', "length", None), "filtered": ('{"a": 1}', "content_filter", None),
    "refusing": (None, "stop", "I cannot."), "silent": ("", "stop", None), "no json": ("Sure!", "stop", None),
}  # fmt: skip
# By which members of `accept` such an answer is no success.
UNFIT: Final = {
    "cut off": {"finish_reason", "json"}, "filtered": {"finish_reason"}, "refusing": {"not_empty", "json"},
    "silent": {"not_empty", "json"}, "no json": {"json"}, "empty": {"finish_reason", "not_empty", "json"},
}  # fmt: skip
READABLE: Final = frozenset({"good", "twice", "stranger", "mangled", "empty", "with an error", *SAYS})
RAN: Final = READABLE | {"missing", "malformed"}
STATUSES: Final = {"refused": 400, "unavailable": 503, "slow down": 429, "zero": 0}
UNRUN: Final = {"expired": "batch_expired", "timed out": "request_timeout", "cancelled": "batch_cancelled"}
REFUSED: Final = frozenset({"refused", "contradicted", "coded"})
# What a provider counts as completed, and as failed. Of a line that is in none of these, it says nothing.
COMPLETED: Final = RAN | {"zero"}
FAILED: Final = REFUSED | {"unavailable", "slow down", "timed out"}


def said(sort: str, origin: str, tokens: int = 3) -> dict[str, Any]:
    """Write the body of an answer; `origin` tells it from others."""
    if sort == "empty":
        return {}
    content, reason, refusal = SAYS.get(sort, ('{"a": 1}', "stop", None))
    choice = {"index": 0, "finish_reason": reason, "message": {"content": content, "refusal": refusal}}
    usage = {"prompt_tokens": tokens, "completion_tokens": 2, "total_tokens": tokens + 2}
    return {"object": "chat.completion", "from": origin, "choices": [choice], "usage": usage}


def is_unfit(sort: str, accept: dict[str, Any]) -> bool:
    """Tell whether such an answer is no success by this `accept`."""
    asked = {name for name, wanted in accept.items() if wanted}
    if SAYS.get(sort, (None, "", None))[1] in accept.get("finish_reason", ()):
        asked -= {"finish_reason"}
    return bool(asked & UNFIT.get(sort, set()))


def answer(custom_id: str, sort: str, batch_id: str, tokens: int = 3) -> list[bytes]:
    """Write what the provider's files hold for a line: none, one or two lines."""
    if sort == "missing":
        return []
    body: Any = said(sort, batch_id, tokens)
    shape: dict[str, Any] = {"id": f"batch_req_{batch_id}_{custom_id}", "custom_id": custom_id, "error": None}
    if sort == "contradicted":
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
