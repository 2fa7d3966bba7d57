"""Anthropic's own shapes: a message that answers a request, and an error, as a gateway writes them into a batch's files."""

from typing import TYPE_CHECKING, Any

from local.emulator.prompts import tokens

if TYPE_CHECKING:
    from local.emulator.answers import Question

_KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip
_ODD = "13579bdf"
_STOPS = {"cut_off": "max_tokens", "filtered": "refusal", "refused": "refusal"}


def message(question: "Question") -> dict[str, Any]:
    """Return the message that answers a request; a text longer than `max_tokens` is cut off."""
    text, limit = question.text, int(question.body["max_tokens"])
    cut = tokens(text) > limit
    text = text[: limit * 4] if cut else text
    return {
        "id": f"msg_{question.mark[:24]}",
        "type": "message",
        "role": "assistant",
        "model": question.model,
        "content": [{"type": "text", "text": text, "citations": None}],
        "stop_reason": "max_tokens" if cut else "end_turn",
        "stop_sequence": None,
        "usage": _usage(question, text),
    }


def _usage(question: "Question", text: str) -> dict[str, Any]:
    """Count tokens as Anthropic does: those of a marked system prompt beside the others, now written to the cache, now read."""
    told = _marked(question.body.get("system"))
    marked = tokens(told) if told else 0
    read = marked if question.mark[-1] in _ODD else 0
    fresh = max(0, question.prompt_tokens - marked)
    return {
        "input_tokens": fresh,
        "cache_creation_input_tokens": marked - read,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": marked - read, "ephemeral_1h_input_tokens": 0},
        "output_tokens": tokens(text),
        "service_tier": "batch",
    }


def _marked(system: object) -> str:
    """Return the text of a system prompt that is to be cached."""
    blocks = system if isinstance(system, list) else []
    return "".join(block["text"] for block in blocks if block.get("cache_control"))


def fault(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the refusal of a body that lacks what every request must have; None if it has that."""
    limit, turns = body.get("max_tokens"), body.get("messages")
    if limit is None:
        return refused(400, "max_tokens: Field required")
    if isinstance(limit, bool) or not isinstance(limit, int):
        return refused(400, "max_tokens: Input should be a valid integer")
    if limit < 1:
        return refused(400, "max_tokens: Input should be greater than or equal to 1")
    if not isinstance(turns, list):
        return refused(400, "messages: Input should be a valid list")
    return None if turns else refused(400, "messages: at least one message is required")


def refused(status: int, text: str, kind: str | None = None) -> dict[str, Any]:
    """Return the body of an answer without success."""
    return {"type": "error", "error": {"type": kind or _KINDS.get(status, "api_error"), "message": text}}


def spoilt(body: dict[str, Any], says: str, text: str) -> dict[str, Any]:
    """Return a message that says `text`, and stopped as `says` has it."""
    content = [{"type": "text", "text": text, "citations": None}] if text else []
    return {**body, "content": content, "stop_reason": _STOPS.get(says, body["stop_reason"])}
