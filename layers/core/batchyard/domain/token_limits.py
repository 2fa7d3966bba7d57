"""How many tokens requests have, by estimate, and how many may be enqueued: as set, as published, as a provider states."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from batchyard.domain.numbers import whole

MILLION: Final = 1_000_000
# English prose has four bytes a token or more, and the JSON around it counts too: the estimate is rather too high.
BYTES_PER_TOKEN: Final = 4
USUAL_RATIO: Final = MILLION // BYTES_PER_TOKEN
# A picture in base64 has some hundred bytes a token; the address of a picture has many tokens a byte.
LEAST_RATIO, MOST_RATIO = 1_000, 20 * MILLION
# The share of an attempt's lines that must be answered, so that the usage stands for all its bytes.
ENOUGH_ANSWERS: Final = 0.9

_NUMBER: Final = r"([0-9][0-9,._]*)\s*([KMB]?)\b"
STATED: Final = (
    r"\blimit(?:\s+(?:of|is)|\s*[:=])\s*" + _NUMBER,
    _NUMBER + r"\s+enqueued\s+tokens",
)
LONGEST_LIMIT: Final = 15  # digits; no number that is longer is a limit
UNITS: Final = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}

# The lowest limits of enqueued tokens that OpenAI publishes, those of its first tier: the first whose word a model's name
# holds. `LOWEST_OF_ANY` is for a name that holds none of these words: the limit of gpt-5.
# Source: platform.openai.com/docs/models, "Rate limits", as read in November 2026.
LOWEST_PUBLISHED: Final = (
    ("embedding", 3_000_000), ("mini", 2_000_000), ("nano", 2_000_000), ("gpt-3.5", 2_000_000), ("gpt-4", 90_000),
    ("o1", 90_000), ("o3", 90_000),
)  # fmt: skip
LOWEST_OF_ANY: Final = 1_500_000


def lowest_published(model: str) -> int:
    """Return the lowest limit of enqueued tokens that OpenAI publishes for the model; that of gpt-5 for an unknown name."""
    return next((limit for word, limit in LOWEST_PUBLISHED if word in model), LOWEST_OF_ANY)


def limit_of(configured: int | None, learned: int | None) -> int | None:
    """Return the lower of the limits that are known; None if none is known."""
    return min((limit for limit in (configured, learned) if limit), default=None)


def configured_limit(text: str, model: str) -> int | None:
    """Read the limit of a model from `2000000` or `gpt-4o=90000,gpt-4o-mini=2000000,5000000`; None for 0 or no number.

    A number without a model is for every model that is not named. Raises ValueError for anything else.
    """
    limits: dict[str, int] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, number = part.rpartition("=")
        limit = whole(number)
        if limit is None or limit < 0:
            raise ValueError(f"MaxEnqueuedTokens must be a number or model=number, with commas between, not {part!r}")
        limits[name.strip()] = limit
    return limits.get(model, limits.get("", 0)) or None


def stated_limit(message: str) -> int | None:
    """Read the limit from the provider's message: no code or member states it. None for a number that is no limit.

    OpenAI writes `Limit: 90,000 enqueued tokens`, Azure `the configured limit of 30K for the deployment`.
    """
    for pattern in STATED:
        found = re.search(pattern, message, re.IGNORECASE)
        if found is not None:
            number, unit = re.sub(r"[,_]|\.(?=\d{3}\b)", "", found[1]).rstrip("."), UNITS[found[2].upper()]
            sound = number.count(".") <= 1 and len(number) <= LONGEST_LIMIT
            return (int(float(number) * unit) or None) if sound else None
    return None


def estimated(size: int) -> int:
    """Estimate the prompt tokens of `size` bytes of requests."""
    return -(-size // BYTES_PER_TOKEN)


def tokens_of(size: int, ratio: int) -> int:
    """Estimate the prompt tokens of `size` bytes of requests at a ratio in tokens per million bytes."""
    return max(1, -(-size * ratio // MILLION))


def wave(sizes: Sequence[int], ratio: int, most: int | None, most_bytes: int | None = None) -> tuple[int, int]:
    """Return how many of the first lines fit into an attempt of at most `most` tokens, and the bytes of these lines.

    At least one line goes: only the provider knows whether it fits.
    """
    ends = list(accumulate(sizes))
    bounds = [] if most is None else [most * MILLION // ratio]
    bounds += [] if most_bytes is None else [most_bytes]
    if not bounds or not ends:
        return len(ends), ends[-1] if ends else 0
    count = max(1, bisect_right(ends, min(bounds)))
    return count, ends[count - 1]


def wave_of_requests(sizes: Sequence[int], most: int | None, most_bytes: int | None = None) -> tuple[int, int]:
    """Return what `wave` returns where the provider counts requests, and takes at most `most` of them."""
    lines, _ = wave(sizes, USUAL_RATIO, None, most_bytes)
    fit = min(filter(None, (lines, most)), default=0)
    return fit, sum(sizes[:fit])


def sample_of(size: int, lines: int, answered: int, input_tokens: int) -> int | None:
    """Return the ratio that the usage of an attempt shows, in tokens per million bytes; None if too few lines were answered."""
    if not size or not input_tokens or answered < lines * ENOUGH_ANSWERS:
        return None
    return round(input_tokens * MILLION * lines / (size * answered))
