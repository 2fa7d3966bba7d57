"""What an answer says, read from the body in the shape of its endpoint."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from batch_client import decode_mended
from batchyard.domain.nesting import with_few_levels

CALLS: Final = frozenset({"function_call", "custom_tool_call"})
SOUND_ARGUMENTS: Final = "{}"
THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})
# Source: Anthropic's API reference, `stop_reason` of a message; in the words of chat completions.
STOP_REASONS: Final = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length",
    "tool_use": "tool_calls", "refusal": "content_filter",
}  # fmt: skip
REFUSED: Final = "refusal"
# Source: OpenAI's API reference, `incomplete_details.reason` of a response; in the words of chat completions.
REASONS: Final = {"max_output_tokens": "length", "max_tokens": "length"}


class Said(NamedTuple):
    """One choice of an answer, or the whole answer where the endpoint has no choices."""

    #: In the words of the answer's own endpoint, for responses in those of chat completions; None if it does not say.
    finish_reason: str | None = None
    text: str = ""
    refusal: str = ""
    #: The arguments of each function call, as JSON text.
    arguments: tuple[str, ...] = ()
    #: Whether there is anything else, such as a picture or the call of another tool.
    other: bool = False
    #: The finish reason in the words of chat completions, if the endpoint has words of its own.
    in_chat: str | None = None


class _Response(msgspec.Struct, gc=False):
    body: Any = None


class _Line(msgspec.Struct, gc=False):
    response: _Response | None = None


_LINE: Final = msgspec.json.Decoder(_Line)


def body_of(line: bytes) -> dict[str, Any]:
    """Return the body of an answer; an empty one for a body that is no object."""
    try:
        response = _LINE.decode(line).response
        body = response.body if response else None
    except (ValueError, RecursionError):  # not quite JSON, or nested deeply: `outcomes` reads it so, too
        body = _member(_member(decode_mended(with_few_levels(line)), "response"), "body")
    return body if isinstance(body, dict) else {}


def of_choices(body: Mapping[str, Any]) -> list[Said]:
    """Read the choices of chat completions and completions; an answer without a choice says nothing once."""
    return [_choice(choice) for choice in _items(body.get("choices"))] or [Said()]


def _choice(choice: object) -> Said:
    message, reason = _member(choice, "message"), _member(choice, "finish_reason")
    content = _member(message, "content")
    parts = _items(content)
    calls = [*_items(_member(message, "tool_calls")), *filter(None, [_member(message, "function_call")])]
    functions = [call for each in calls if (call := _member(each, "function") or each)]
    texts = [_text(content), _text(_member(choice, "text")), *(_text(_member(part, "text")) for part in parts)]
    refusals = [_text(_member(message, "refusal")), *(_text(_member(part, "refusal")) for part in parts)]
    return Said(
        _text(reason) or None, "".join(texts), "".join(refusals), _arguments(functions),
        bool(calls) or bool(_member(message, "audio")),
    )  # fmt: skip


def of_response(body: Mapping[str, Any]) -> list[Said]:
    """Read the output of a response as one choice."""
    items = [item for item in _items(body.get("output")) if _member(item, "type") != "reasoning"]
    parts = [part for item in items for part in _items(_member(item, "content"))]
    calls = [item for item in items if _member(item, "type") in CALLS]
    text = "".join(_text(_member(part, "text")) for part in parts)
    refusal = "".join(_text(_member(part, "refusal")) for part in parts)
    other = any(_member(item, "type") != "message" for item in items)
    return [Said(_finish(body, called=bool(calls)), text, refusal, _arguments(calls), other)]


def _finish(body: Mapping[str, Any], *, called: bool) -> str | None:
    """Say how a response ended, in the words of chat completions."""
    status = _text(body.get("status"))
    if status == "completed":
        return "tool_calls" if called else "stop"
    reason = _text(_member(body.get("incomplete_details"), "reason"))
    return REASONS.get(reason, reason) or status or None


def of_message(body: Mapping[str, Any]) -> list[Said]:
    """Read the blocks of a message as one choice; thinking is not said."""
    blocks = [block for block in _items(body.get("content")) if _member(block, "type") not in THOUGHTS]
    text = "".join(_text(_member(block, "text")) for block in blocks)
    calls = [block for block in blocks if _member(block, "type") == "tool_use"]
    arguments = (SOUND_ARGUMENTS,) * len(calls)  # they are members of the body, which could be read
    reason = _text(body.get("stop_reason"))
    refusal = (text or "stop_reason is refusal") if reason == REFUSED else ""
    other = any(_member(block, "type") != "text" for block in blocks)
    return [Said(reason or None, text, refusal, arguments, other, STOP_REASONS.get(reason))]


def _arguments(calls: Iterable[object]) -> tuple[str, ...]:
    return tuple(told for call in calls if isinstance(told := _member(call, "arguments"), str))


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
