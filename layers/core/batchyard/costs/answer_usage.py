"""Tokens as answers tell them, in the words of each endpoint."""

from collections.abc import Sequence
from typing import Final

import msgspec

from batchyard.costs.usage import Usage

MOST_TOKENS: Final = 2**53


class Details(msgspec.Struct, frozen=True, gc=False):
    """The tokens that came from a cache, went into reasoning, or are those of pictures."""

    cached_tokens: int | None = 0
    reasoning_tokens: int | None = 0
    image_tokens: int | None = 0


class CacheCreation(msgspec.Struct, frozen=True, gc=False):
    """The tokens of a message that were written to the cache, by how long they are kept there."""

    ephemeral_1h_input_tokens: int | None = 0


class BodyUsage(msgspec.Struct, frozen=True, gc=False):
    """Tokens as the chat, completions and embeddings endpoints name them, as responses does, and as Anthropic's messages do."""

    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    total_tokens: int | None = 0
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None
    input_tokens_details: Details | None = None
    output_tokens_details: Details | None = None
    #: Of messages, which count these beside `input_tokens`: written to the cache, and read from there.
    cache_creation_input_tokens: int | None = 0
    cache_read_input_tokens: int | None = 0
    cache_creation: CacheCreation | None = None


_NO_DETAILS: Final = Details()
UNTOLD: Final = BodyUsage()  # says no count, or only noughts, or only words that nobody knows


def usage_in(used: Sequence[BodyUsage]) -> Usage:
    """Sum the tokens of answers. One member is summed over all answers before the next: this is the fastest way."""
    inputs = _counts([each.prompt_tokens or each.input_tokens or 0 for each in used])
    outputs = _counts([each.completion_tokens or each.output_tokens or 0 for each in used])
    cached = _counts(
        [(each.prompt_tokens_details or each.input_tokens_details or _NO_DETAILS).cached_tokens or 0 for each in used]
    )
    reasoning = _counts(
        [
            (each.completion_tokens_details or each.output_tokens_details or _NO_DETAILS).reasoning_tokens or 0
            for each in used
        ]
    )
    totals = _counts([each.total_tokens or 0 for each in used])
    if 0 in totals:  # an answer did not say
        totals = [told or one + other for told, one, other in zip(totals, inputs, outputs, strict=True)]
    pictures = (_image_tokens([each.input_tokens_details for each in used if each.input_tokens_details]),
                _image_tokens([each.output_tokens_details for each in used if each.output_tokens_details]))  # fmt: skip
    usage = Usage(sum(inputs), sum(cached), sum(outputs), sum(reasoning), sum(totals), *pictures)
    apart = [each for each in used if each.cache_read_input_tokens or each.cache_creation_input_tokens]
    return usage + _counted_apart(apart) if apart else usage


def _counted_apart(used: list[BodyUsage]) -> Usage:
    """Sum the tokens of the cache that messages count beside their input.

    Gateways show them in the shape of chat completions, too, where the prompt's tokens have them already.
    """
    native = [each for each in used if not each.prompt_tokens and each.input_tokens_details is None]
    written = _counts([each.cache_creation_input_tokens or 0 for each in native])
    read = _counts([each.cache_read_input_tokens or 0 for each in native])
    hour = _counts([each.cache_creation.ephemeral_1h_input_tokens or 0 for each in native if each.cache_creation])
    both = sum(written) + sum(read)
    return Usage(both, sum(read), total_tokens=both, written_tokens=sum(written), written_hour_tokens=sum(hour))


def _image_tokens(details: list[Details]) -> int:
    return sum(_counts([each.image_tokens or 0 for each in details]))


def _counts(tokens: list[int]) -> list[int]:
    """Return sane counts; each is checked only if the least or the greatest of them is not sane."""
    sound = not tokens or (min(tokens) >= 0 and max(tokens) <= MOST_TOKENS)
    return tokens if sound else list(map(sane_count, tokens))


def sane_count(tokens: int | None) -> int:
    """Return a count of tokens; 0 for None and for a number that cannot be a count."""
    return tokens if tokens is not None and 0 <= tokens <= MOST_TOKENS else 0
