"""Tokens as Bedrock's answers tell them: each family of models has its own words, and some say nothing.

A shape that is not known tells nothing: to count half of it would be worse. Sources: AWS's API reference, Converse,
`TokenUsage` (what the cache has is beside `inputTokens`) and `CacheDetail` (botocore 1.44.8); the user guide's pages of the
models for InvokeModel, and of prompt caching, 2026: "tokens written to cache may be charged at a rate that is higher than
that of uncached input tokens", which the price list has for each model.
"""

from typing import Any, Final

import msgspec

from batchyard.costs.answer_usage import MOST_TOKENS, BodyUsage, usage_in
from batchyard.costs.usage import Usage

# What the cache has, in Converse's words and in Nova's.
CACHE_READ: Final = ("cacheReadInputTokens", "cacheReadInputTokenCount")
CACHE_WRITE: Final = ("cacheWriteInputTokens", "cacheWriteInputTokenCount")
HOUR: Final = "1h"
# Input and output in the words of a body's `usage` that are OpenAI's, or those of Anthropic's messages.
KNOWN_WORDS: Final = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))


class _Body(msgspec.Struct, gc=False):
    usage: msgspec.Raw = msgspec.Raw(b"null")
    #: Of Llama.
    prompt_token_count: Any = None
    generation_token_count: Any = None
    #: Of Titan; its embeddings have no results.
    inputTextTokenCount: Any = None  # noqa: N815 - as it stands in a body
    results: Any = None


_BODY: Final = msgspec.json.Decoder(_Body)


def usage_in_body(body: bytes) -> Usage | None:
    """Return the tokens that an answer tells; None if it tells none, or not in a way that is known."""
    try:
        found = _BODY.decode(body)
        told = msgspec.json.decode(found.usage)
        if isinstance(told, dict):
            return _of_converse(told) or _of_others(told, bytes(found.usage))
    except (ValueError, RecursionError):
        return None
    return _summed(found.prompt_token_count, found.generation_token_count) or _of_titan(found)


def _of_converse(told: dict[str, Any]) -> Usage | None:
    known = _summed(told.get("inputTokens"), told.get("outputTokens"))
    read, written = _first(told, CACHE_READ), _first(told, CACHE_WRITE)
    if known is None or not (_is_count(read) and _is_count(written)):
        return None
    both, hour = read + written, min(written, _written_for_an_hour(told))
    return known + Usage(both, read, total_tokens=both, written_tokens=written, written_hour_tokens=hour)


def _written_for_an_hour(told: dict[str, Any]) -> int:
    details = told.get("cacheDetails")
    of_hour = (
        each.get("inputTokens")
        for each in (details if isinstance(details, list) else [])
        if isinstance(each, dict) and each.get("ttl") == HOUR
    )
    return sum(count for count in of_hour if isinstance(count, int) and _is_count(count))


def _of_others(told: dict[str, Any], text: bytes) -> Usage | None:
    """Read what OpenAI's answers and Anthropic's messages say; both tell all of it, or it is another shape."""
    if not any(_is_count(told.get(name)) and _is_count(told.get(other)) for name, other in KNOWN_WORDS):
        return None
    return usage_in([msgspec.json.decode(text, type=BodyUsage)])


def _of_titan(body: _Body) -> Usage | None:
    results = body.results if isinstance(body.results, list) else []
    counts = [each.get("tokenCount") if isinstance(each, dict) else None for each in results]
    if body.results is not None and not (counts and all(map(_is_count, counts))):
        return None
    return _summed(body.inputTextTokenCount, sum(count or 0 for count in counts))


def _summed(inputs: object, outputs: object) -> Usage | None:
    if not isinstance(inputs, int) or not isinstance(outputs, int) or not (_is_count(inputs) and _is_count(outputs)):
        return None
    return Usage(inputs, 0, outputs, 0, inputs + outputs)


def _first(told: dict[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON
    return next((told[name] for name in names if told.get(name) is not None), 0)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
