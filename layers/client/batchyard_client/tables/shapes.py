"""What the answer of a model on Amazon Bedrock says: each family of models has its own shape, told by the members of the body.

Sources: AWS's API reference, Converse, 2026; the user guide's pages of Nova, Llama, Titan and Mistral for InvokeModel. What
Claude and OpenAI's models answer there has the shapes of their own APIs.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

# Stop reasons of what a filter or a guardrail of Bedrock held back.
REFUSALS: Final = frozenset({"guardrail_intervened", "content_filtered", "CONTENT_FILTERED"})
# What came from the cache and what went into it, in Converse's words and in Nova's; both stand beside `inputTokens`.
CACHE_READ: Final = ("cacheReadInputTokens", "cacheReadInputTokenCount")
CACHE_WRITE: Final = ("cacheWriteInputTokens", "cacheWriteInputTokenCount")


class Said(NamedTuple):
    """What an answer says: its text, or else its calls of tools."""

    text: str | None
    calls: list[Any]
    stop_reason: str | None

    @property
    def refused(self) -> str | None:
        """Return the words of a refusal."""
        return (self.text or self.stop_reason) if self.stop_reason in REFUSALS else None


class Tokens(NamedTuple):
    """The tokens that an answer tells; None where it does not."""

    sent: int | None
    cached: int
    got: int | None


def said_in(body: Mapping[str, Any]) -> Said | None:
    """Read an answer; None if its shape is none of Bedrock's own, or it is no text."""
    return next((read(body) for name, read in _BY_MEMBER.items() if body.get(name) is not None), None)


def tokens_in(body: Mapping[str, Any]) -> Tokens | None:
    """Read the tokens of an answer; None where they are not told in Bedrock's own words."""
    used = body.get("usage")
    if isinstance(used, dict):
        sent = _count(used, "inputTokens")
        read, written = _count(used, *CACHE_READ) or 0, _count(used, *CACHE_WRITE) or 0
        found = Tokens(None if sent is None else sent + read + written, read, _count(used, "outputTokens"))
    elif body.get("generation") is not None:
        found = Tokens(_count(body, "prompt_token_count"), 0, _count(body, "generation_token_count"))
    else:
        counts = [_count(each, "tokenCount") for each in _objects(body.get("results"))]
        got = sum(each or 0 for each in counts) if counts and None not in counts else None
        found = Tokens(_count(body, "inputTextTokenCount"), 0, got)
    return None if found.sent is None and found.got is None else found


def _of_converse(body: Mapping[str, Any]) -> Said | None:
    output = body["output"]
    message = output.get("message") if isinstance(output, dict) else None
    if not isinstance(message, dict):
        return None
    blocks = _objects(message.get("content"))
    texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    calls = [block for block in blocks if "toolUse" in block]
    return Said("".join(texts) if texts else None, calls, _text(body.get("stopReason")))


def _of_llama(body: Mapping[str, Any]) -> Said | None:
    text = _text(body["generation"])
    return None if text is None else Said(text, [], _text(body.get("stop_reason")))


def _of_titan(body: Mapping[str, Any]) -> Said | None:
    return _first_of(body["results"], "outputText", "completionReason")


def _of_mistral(body: Mapping[str, Any]) -> Said | None:
    return _first_of(body["outputs"], "text", "stop_reason")


def _first_of(results: object, text: str, reason: str) -> Said | None:
    found = next(iter(_objects(results)), {})
    said = _text(found.get(text))
    return None if said is None else Said(said, [], _text(found.get(reason)))


_BY_MEMBER: Final[dict[str, Callable[[Mapping[str, Any]], Said | None]]] = {
    "output": _of_converse, "generation": _of_llama, "results": _of_titan, "outputs": _of_mistral,
}  # fmt: skip


def _count(told: Mapping[str, Any], *names: str) -> int | None:
    found = (told.get(name) for name in names)
    return next((each for each in found if isinstance(each, int) and not isinstance(each, bool)), None)


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
