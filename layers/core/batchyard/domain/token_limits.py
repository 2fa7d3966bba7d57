"""How many tokens may be enqueued: the limit that the user has set, and the limit that a provider's message states."""

import re
from typing import Final

# English prose has four bytes a token or more, and the JSON around it counts too: the estimate is rather too high.
BYTES_PER_TOKEN: Final = 4


_NUMBER: Final = r"([0-9][0-9,._]*)\s*([KMB]?)\b"
STATED: Final = (
    re.compile(r"\blimit(?:\s+(?:of|is)|\s*[:=])\s*" + _NUMBER, re.IGNORECASE),
    re.compile(_NUMBER + r"\s+enqueued\s+tokens", re.IGNORECASE),
)
UNITS: Final = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}


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
        if not (number.isascii() and number.isdigit()):
            raise ValueError(f"MaxEnqueuedTokens must be a number or model=number, with commas between, not {part!r}")
        limits[name.strip()] = int(number)
    return limits.get(model, limits.get("", 0)) or None


def stated_limit(message: str) -> int | None:
    """Read the limit from the provider's message: no code or member states it.

    OpenAI writes `Limit: 90,000 enqueued tokens`, Azure `the configured limit of 30K for the deployment`.
    """
    for pattern in STATED:
        found = pattern.search(message)
        if found is not None:
            number, unit = re.sub(r"[,_]|\.(?=\d{3}\b)", "", found[1]).rstrip("."), UNITS[found[2].upper()]
            limit = int(float(number) * unit) if number.count(".") <= 1 else 0
            return limit or None
    return None


def estimated(size: int) -> int:
    """Estimate the prompt tokens of `size` bytes of requests."""
    return -(-size // BYTES_PER_TOKEN)
