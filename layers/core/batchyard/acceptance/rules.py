"""The option `accept`: what an answer must be to count as success."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from batchyard.domain import nesting
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import SettingsError, meant

OPTION: Final = "accept"
MOST_REASONS, LONGEST_REASON = 16, 64  # words, and characters of a word
SHOWN_NAME: Final = 64  # characters of an unknown name that an error shows
# What OpenAI's answers say, Anthropic's, and Bedrock's; others may say more. Source: OpenAI's API reference, chat completions,
# `finish_reason`; Anthropic's API reference, messages, `stop_reason`; AWS's API reference, Converse, `stopReason`.
REASONS: Final = (
    "stop", "length", "tool_calls", "content_filter", "function_call",
    "end_turn", "stop_sequence", "max_tokens", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded",
    "guardrail_intervened", "content_filtered", "malformed_model_output", "malformed_tool_use",
)  # fmt: skip
VERY_CLOSE: Final = 0.8  # in difflib's ratio; another service may have a reason of its own


class Accept(msgspec.Struct, frozen=True):
    """What an answer must be; nothing is asked by default."""

    #: The finish reasons that are allowed; empty for any.
    finish_reason: tuple[str, ...] = ()
    #: Whether the text must be valid JSON.
    json: bool = False
    #: Whether the text must fit the schema that its request names.
    schema: bool = False
    #: Whether there must be something, and no refusal.
    not_empty: bool = False

    @property
    def on(self) -> bool:
        """Tell whether anything is asked."""
        return self != Accept()


def read(option: Mapping[str, Any] | None) -> Accept:
    """Return the rules of an option that was checked by `wrong`."""
    return msgspec.convert(option or {}, Accept)


def of_text(text: str) -> object:
    """Read the option as JSON text; a text that is no JSON stays as it is, and `wrong` refuses it."""
    try:
        return nesting.decode(text)
    except ValueError:
        return text


def of_setting(text: str) -> dict[str, Any] | None:
    """Read the parameter `Accept`; None if it is empty. Raises SettingsError if it cannot be followed."""
    if not text:
        return None
    option = of_text(text)
    error = wrong(option)
    if error is not None or not isinstance(option, dict):
        raise SettingsError(f"Accept cannot be followed: {error.message if error else text} See docs/results.md.")
    return option


def wrong(option: object) -> BatchError | None:
    """Say what of the option cannot be followed, if anything."""
    if not isinstance(option, dict):
        return BatchError("invalid_type", 'accept must be a JSON object such as {"not_empty": true}.', OPTION)
    for name, value in option.items():
        error = _unknown(name) or (_wrong_reasons(value) if name == "finish_reason" else _no_flag(name, value))
        if error is not None:
            return error
    return None


def _unknown(name: str) -> BatchError | None:
    known = Accept.__struct_fields__
    if name in known:
        return None
    near = meant(name.lower(), known)
    shown = f"{OPTION}.{name[:SHOWN_NAME]}"
    hint = f"Did you mean '{OPTION}.{near}'?" if near else f"Known are: {', '.join(known)}."
    return BatchError("unknown_parameter", f"Unknown parameter: '{shown}'. {hint}", shown)


def _wrong_reasons(value: object) -> BatchError | None:
    words = value if isinstance(value, list) else []
    sound = all(isinstance(word, str) and 0 < len(word) <= LONGEST_REASON for word in words)
    if words and sound and len(words) <= MOST_REASONS:
        return next((_misspelt(word, known) for word in words if (known := _near(word))), None)
    message = f'accept.finish_reason must be a list of 1 to {MOST_REASONS} words, such as ["stop", "tool_calls"].'
    return BatchError("invalid_value", message, f"{OPTION}.finish_reason")


def _near(word: str) -> str | None:
    """Return the reason that a misspelt word means: each line would be paid again for it; None for any other word."""
    return None if word in REASONS else meant(word.lower(), REASONS, VERY_CLOSE)


def _misspelt(word: str, right: str) -> BatchError:
    message = f"accept.finish_reason has {word[:SHOWN_NAME]!r}, which no answer has. Did you mean {right!r}?"
    return BatchError("invalid_value", message, f"{OPTION}.finish_reason")


def _no_flag(name: str, value: object) -> BatchError | None:
    if isinstance(value, bool):
        return None
    return BatchError("invalid_type", f"{OPTION}.{name} must be true or false.", f"{OPTION}.{name}")
