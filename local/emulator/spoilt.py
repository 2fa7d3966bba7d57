"""Spoil a good answer on order: it stays a success with its usage, and nobody can use it."""

from typing import Any

from local.emulator import messages

_REFUSAL = "I cannot help with that."
_NO_OBJECT = "[]"
_BROKEN = '{"broken": '
_REASONS = {"cut_off": "length", "filtered": "content_filter"}
_INCOMPLETE = {"cut_off": "max_output_tokens", "filtered": "content_filter"}


def spoil(body: dict[str, Any], says: str) -> dict[str, Any]:
    """Return the body of an answer that is cut off, filtered, refused, empty, no JSON, or JSON that is no object."""
    if "choices" in body:
        return {**body, "choices": [_choice(choice, says) for choice in body["choices"]]}
    if "output" in body:
        return _response(body, says)
    if body.get("type") == "message":
        said = "".join(block["text"] for block in body["content"])
        return messages.spoilt(body, says, _text(said, says))
    if "data" in body:  # embeddings and pictures have no text
        return {
            **body,
            "data": [{**item, "embedding": []} for item in body["data"]] if says == "nothing" else body["data"],
        }
    return {} if says == "nothing" else body


def _choice(choice: dict[str, Any], says: str) -> dict[str, Any]:
    reason = _REASONS.get(says, choice["finish_reason"])
    if "message" not in choice:
        return {**choice, "finish_reason": reason, "text": _text(choice["text"], says)}
    refusal = _REFUSAL if says == "refused" else None
    text = None if refusal else _text(choice["message"]["content"], says)
    return {**choice, "finish_reason": reason, "message": {**choice["message"], "content": text, "refusal": refusal}}


def _response(body: dict[str, Any], says: str) -> dict[str, Any]:
    if says in _INCOMPLETE:
        body = {**body, "status": "incomplete", "incomplete_details": {"reason": _INCOMPLETE[says]}}
    return {
        **body,
        "output": [{**item, "content": [_part(part, says) for part in item["content"]]} for item in body["output"]],
    }


def _part(part: dict[str, Any], says: str) -> dict[str, Any]:
    return (
        {"type": "refusal", "refusal": _REFUSAL} if says == "refused" else {**part, "text": _text(part["text"], says)}
    )


def _text(text: str, says: str) -> str:
    if says in _REASONS:
        return text[: len(text) // 2]
    return {"nothing": "", "refused": _REFUSAL, "broken_json": _BROKEN, "broken_schema": _NO_OBJECT}[says]
