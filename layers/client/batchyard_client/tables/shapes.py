"""What the body of an answer says, in the shape of its endpoint; on Amazon Bedrock each family of models has its own.

Sources: AWS's API reference, Converse, 2026; the user guide's pages of Nova, Llama, Titan and Mistral for InvokeModel. What
Claude and OpenAI's models answer there has the shapes of their own APIs.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from .cells import JSON, unpacked_vector
from .recipe import CHAT, EMBEDDINGS, MESSAGES, MODEL_URL, RESPONSES

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
    return Said("".join(texts) if texts else None, calls, _words(body.get("stopReason")))


def _of_llama(body: Mapping[str, Any]) -> Said | None:
    text = _words(body["generation"])
    return None if text is None else Said(text, [], _words(body.get("stop_reason")))


def _of_titan(body: Mapping[str, Any]) -> Said | None:
    return _first_of(body["results"], "outputText", "completionReason")


def _of_mistral(body: Mapping[str, Any]) -> Said | None:
    return _first_of(body["outputs"], "text", "stop_reason")


def _first_of(results: object, text: str, reason: str) -> Said | None:
    found = next(iter(_objects(results)), {})
    said = _words(found.get(text))
    return None if said is None else Said(said, [], _words(found.get(reason)))


_BY_MEMBER: Final[dict[str, Callable[[Mapping[str, Any]], Said | None]]] = {
    "output": _of_converse, "generation": _of_llama, "results": _of_titan, "outputs": _of_mistral,
}  # fmt: skip


_Found = tuple[object, str | None, str | None]


def found_in(url: str, body: Mapping[str, Any]) -> tuple[object, str | None, str | None]:
    """Return the answer of a body as its endpoint gives it, why the model stopped, and the words of a refusal.

    Where the url is empty, or names a model of Amazon Bedrock, the body's own shape tells.
    """
    if url and not MODEL_URL.fullmatch(url):
        return _FINDERS.get(url, _whole)(body)
    return next((find for has_shape, find in _LIKELY if has_shape(body)), _of_native)(body)


def tokens_of(body: Mapping[str, Any]) -> tuple[int | None, int, int | None]:
    """Return the tokens of a request, those of them that came from the cache, and the tokens of its answer."""
    if (native := tokens_in(body)) is not None:
        return native
    used = _mapping(body.get("usage"))
    details = _mapping(used.get("prompt_tokens_details") or used.get("input_tokens_details"))
    cached = _count(details, "cached_tokens") or _count(used, "cache_read_input_tokens") or 0
    return _sent(used), cached, _count(used, "completion_tokens", "output_tokens")


def _of_chat(body: Mapping[str, Any]) -> _Found:
    choice = _first(body.get("choices"))
    message = _mapping(choice.get("message"))
    content = message.get("content")
    if content is None and message.get("tool_calls"):
        content = message["tool_calls"]
    return _text(content), _reason(choice), _refused(message.get("refusal"))


def _of_completions(body: Mapping[str, Any]) -> _Found:
    choice = _first(body.get("choices"))
    return _text(choice.get("text")), _reason(choice), None


def _reason(choice: Mapping[str, Any]) -> str | None:
    """Say why a choice ended; DeepSeek's and Mistral's on Bedrock have `stop_reason`."""
    told = choice.get("finish_reason")
    return _text(choice.get("stop_reason") if told is None else told)


def _of_responses(body: Mapping[str, Any]) -> _Found:
    texts: list[str] = []
    refusal = None
    for item in _objects(body.get("output")):
        for each in _objects(item.get("content")) if item.get("type") == "message" else []:
            if each.get("type") == "output_text":
                texts.append(str(each.get("text", "")))
            refusal = refusal or _refused(each.get("refusal"))
    reason = _mapping(body.get("incomplete_details")).get("reason") or body.get("status")
    return "".join(texts) if texts else None, _text(reason), refusal


def _of_messages(body: Mapping[str, Any]) -> _Found:
    blocks = _objects(body.get("content"))
    texts = [str(block.get("text", "")) for block in blocks if block.get("type") == "text"]
    said: object = "".join(texts) if texts else [each for each in blocks if each.get("type") == "tool_use"] or None
    reason = _text(body.get("stop_reason"))
    return _text(said), reason, _refused(_text(said) or reason) if reason == "refusal" else None


def _of_embeddings(body: Mapping[str, Any]) -> _Found:
    vector = _first(body.get("data")).get("embedding")
    if isinstance(vector, str):
        vector = unpacked_vector(vector)
    fine = isinstance(vector, list) and all(isinstance(each, int | float) for each in vector)
    return (vector, None, None) if fine else (None, None, "the answer has no vector")


def _of_native(body: Mapping[str, Any]) -> _Found:
    said = said_in(body)
    if said is None:
        return _whole(body)
    return _text(said.text if said.text is not None else said.calls or None), said.stop_reason, _refused(said.refused)


def _whole(body: Mapping[str, Any]) -> _Found:
    return _text(body), None, None


_FINDERS: Final[dict[str, Callable[[Mapping[str, Any]], _Found]]] = {
    CHAT: _of_chat,
    RESPONSES: _of_responses,
    MESSAGES: _of_messages,
    EMBEDDINGS: _of_embeddings,
    "/v1/completions": _of_completions,
}


def _has_message(body: Mapping[str, Any]) -> bool:
    return body.get("choices") == [] or isinstance(_first(body.get("choices")).get("message"), dict)


def _has_text(body: Mapping[str, Any]) -> bool:
    return "text" in _first(body.get("choices"))


def _has_blocks(body: Mapping[str, Any]) -> bool:
    content = body.get("content")
    return isinstance(content, list) and all("type" in _mapping(block) for block in content)


def _has_items(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("output"), list)


# Models of others that Bedrock has answer as their own APIs do.
_LIKELY: Final = (
    (_has_message, _of_chat), (_has_text, _of_completions), (_has_blocks, _of_messages), (_has_items, _of_responses),
)  # fmt: skip


def _sent(used: Mapping[str, Any]) -> int | None:
    """Count the tokens of a request; a message counts those of the cache beside the others."""
    told = _count(used, "prompt_tokens", "input_tokens")
    if told is None or "prompt_tokens" in used:
        return told
    return told + sum(_count(used, f"cache_{name}_input_tokens") or 0 for name in ("creation", "read"))


def _refused(text: object) -> str | None:
    return f"refusal: {text}" if text else None


def _text(value: object) -> str | None:
    """Return text as it is, and anything else as JSON."""
    return value if value is None or isinstance(value, str) else JSON.encode(value).decode()


def _first(value: object) -> Mapping[str, Any]:
    return _mapping(value[0]) if isinstance(value, list) and value else {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(told: Mapping[str, Any], *names: str) -> int | None:
    found = (told.get(name) for name in names)
    return next((each for each in found if isinstance(each, int) and not isinstance(each, bool)), None)


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _words(value: object) -> str | None:
    return value if isinstance(value, str) else None
