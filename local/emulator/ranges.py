"""Ranges of whole numbers as a scenario writes them: `3`, `"2-4"`, `"3-"` or `"1,4-5"`."""

import re

Range = int | str
EVERY = "1-"
_WRITTEN = re.compile(r"\s*\d+\s*(-\s*\d*\s*)?(,\s*\d+\s*(-\s*\d*\s*)?)*")


def check(wanted: Range) -> None:
    """Raise ValueError unless `wanted` is a range."""
    if not _WRITTEN.fullmatch(str(wanted)):
        raise ValueError(f"{wanted!r} is no range: write 3, '2-4', '3-' or '1,4-5'")


def in_range(number: int, wanted: Range) -> bool:
    """Tell whether `number` is in `wanted`."""
    return any(_in_interval(number, interval) for interval in str(wanted).split(","))


def _in_interval(number: int, interval: str) -> bool:
    first, dash, last = (part.strip() for part in interval.partition("-"))
    if not dash:
        return number == int(first)
    return int(first) <= number <= (int(last) if last else number)
