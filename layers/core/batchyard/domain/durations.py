"""An hour and a day in seconds."""

from typing import Final

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
