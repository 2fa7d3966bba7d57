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
        body = member_of(member_of(decode_mended(with_few_levels(line)), "response"), "body")
    return body if isinstance(body, dict) else {}


def of_choices(body: Mapping[str, Any]) -> list[Said]:
    """Read the choices of chat completions and completions; an answer without a choice says nothing once."""
    return [_choice(choice) for choice in items_of(body.get("choices"))] or [Said()]


def _choice(choice: object) -> Said:
    message, reason = member_of(choice, "message"), member_of(choice, "finish_reason")
    content = member_of(message, "content")
    parts = items_of(content)
    calls = [*items_of(member_of(message, "tool_calls")), *filter(None, [member_of(message, "function_call")])]
    functions = [call for each in calls if (call := member_of(each, "function") or each)]
    texts = [
        text_of(content),
        text_of(member_of(choice, "text")),
        *(text_of(member_of(part, "text")) for part in parts),
    ]
    refusals = [text_of(member_of(message, "refusal")), *(text_of(member_of(part, "refusal")) for part in parts)]
    return Said(
        text_of(reason) or None, "".join(texts), "".join(refusals), _arguments(functions),
        bool(calls) or bool(member_of(message, "audio")),
    )  # fmt: skip


def of_response(body: Mapping[str, Any]) -> list[Said]:
    """Read the output of a response as one choice."""
    items = [item for item in items_of(body.get("output")) if member_of(item, "type") != "reasoning"]
    parts = [part for item in items for part in items_of(member_of(item, "content"))]
    calls = [item for item in items if member_of(item, "type") in CALLS]
    text = "".join(text_of(member_of(part, "text")) for part in parts)
    refusal = "".join(text_of(member_of(part, "refusal")) for part in parts)
    other = any(member_of(item, "type") != "message" for item in items)
    return [Said(_finish(body, called=bool(calls)), text, refusal, _arguments(calls), other)]


def _finish(body: Mapping[str, Any], *, called: bool) -> str | None:
    """Say how a response ended, in the words of chat completions."""
    status = text_of(body.get("status"))
    if status == "completed":
        return "tool_calls" if called else "stop"
    reason = text_of(member_of(body.get("incomplete_details"), "reason"))
    return REASONS.get(reason, reason) or status or None


def of_message(body: Mapping[str, Any]) -> list[Said]:
    """Read the blocks of a message as one choice; thinking is not said."""
    blocks = [block for block in items_of(body.get("content")) if member_of(block, "type") not in THOUGHTS]
    text = "".join(text_of(member_of(block, "text")) for block in blocks)
    calls = [block for block in blocks if member_of(block, "type") == "tool_use"]
    arguments = (SOUND_ARGUMENTS,) * len(calls)  # they are members of the body, which could be read
    reason = text_of(body.get("stop_reason"))
    refusal = (text or "stop_reason is refusal") if reason == REFUSED else ""
    other = any(member_of(block, "type") != "text" for block in blocks)
    return [Said(reason or None, text, refusal, arguments, other, STOP_REASONS.get(reason))]


def _arguments(calls: Iterable[object]) -> tuple[str, ...]:
    return tuple(told for call in calls if isinstance(told := member_of(call, "arguments"), str))


def member_of(value: object, name: str) -> object:
    """Return a member of an object; None if it has none, or is no object."""
    return value.get(name) if isinstance(value, dict) else None


def items_of(value: object) -> list[object]:
    """Return the items of a list; none of what is no list."""
    return value if isinstance(value, list) else []


def text_of(value: object) -> str:
    """Return a text; an empty one for what is no text."""
    return value if isinstance(value, str) else ""
