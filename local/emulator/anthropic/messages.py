"""Answer the body of a message without a model: a Message made from the request alone, or the refusal of a wrong body."""

import hashlib
from collections.abc import Iterator
from typing import Any

from local.emulator.prompts import tokens

_ECHOED = 200
#: Members that a request in a batch may not have.
_NOT_IN_BATCHES = ("speed", "store", "previous_thread_event_id", "cache_hint", "context_hint", "fallbacks")


def fault_of(body: object, *, batch: bool = False) -> str | None:
    """Tell why the service would refuse a body; None if it would not."""
    if not isinstance(body, dict):
        return "params: Input should be an object"
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            return f"{name}: Field required"
    limit, messages = body["max_tokens"], body["messages"]
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        return "max_tokens: Input should be greater than or equal to 1"
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    if not all(isinstance(each, dict) and each.get("role") in ("user", "assistant") for each in messages):
        return "messages: each needs a role, 'user' or 'assistant'"
    if batch and body.get("stream"):
        return "stream: not supported in batches"
    return next((f"{name}: Extra inputs are not permitted" for name in _NOT_IN_BATCHES if batch and name in body), None)


def message(body: dict[str, Any], answer_bytes: int = 0, *, batch: bool = False) -> dict[str, Any]:
    """Return the Message that answers a body; it quotes the last text of the request."""
    mark = hashlib.blake2b(repr(body).encode(), digest_size=16).hexdigest()
    asked = list(_texts(body["messages"]))
    text = f"You asked: {asked[-1][:_ECHOED] if asked else ''}".ljust(answer_bytes, ".")
    written, most = tokens(text), int(body["max_tokens"])
    return {
        "id": f"msg_{mark}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": text[: most * 4]}],
        "stop_reason": "end_turn" if written <= most else "max_tokens",
        "stop_sequence": None,
        "usage": {
            **_read(body, mark),
            "output_tokens": min(written, most),
            "service_tier": "batch" if batch else "standard",
        },
    }


def _read(body: dict[str, Any], mark: str) -> dict[str, int]:
    """Count the tokens of a request; those of blocks that ask for a cache are found there as often as not."""
    kept = sum(map(tokens, _texts(list(_cached(body)))))
    whole = tokens("\n".join([*_texts(body.get("system")), *_texts(body["messages"])]))
    found = mark[0] < "8"
    return {
        "input_tokens": max(1, whole - kept),
        "cache_creation_input_tokens": 0 if found else kept,
        "cache_read_input_tokens": kept if found else 0,
    }


def _cached(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for each in value:
            yield from _cached(each)
    elif isinstance(value, dict):
        if "cache_control" in value:
            yield value
        for name in ("system", "messages", "content"):
            yield from _cached(value.get(name))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name in ("content", "text"):
            yield from _texts(value.get(name))
