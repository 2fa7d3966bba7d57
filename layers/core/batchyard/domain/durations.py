"""Spans of time in seconds, as every constant and record has them."""

from typing import Final

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
