"""Numbers: spans of time in seconds, as every constant and record has them; and the one strict reader of what users write."""

import re
from decimal import Decimal
from typing import Final

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

# Python reads more than a user may mean: `1_0`, `+1`, `١٢`, `1e400`, `Infinity`, and digits without end.
_WHOLE: Final = r"-?[0-9]{1,15}"
_AMOUNT: Final = r"[0-9]{1,12}(\.[0-9]{1,12})?"


def whole(text: object) -> int | None:
    """Read a whole number that a user wrote, of at most 15 digits; None for anything else."""
    return int(text) if isinstance(text, str) and re.fullmatch(_WHOLE, text) else None


def amount(text: object) -> Decimal | None:
    """Read an amount that a user wrote: at most 12 digits, and at most 12 behind a point; None for anything else."""
    return Decimal(text) if isinstance(text, str) and re.fullmatch(_AMOUNT, text) else None


def in_digits(number: float) -> str:
    """Write a number of a JSON text in digits with a point, as `amount` reads it; no other number is written in less."""
    text = format(Decimal(str(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
