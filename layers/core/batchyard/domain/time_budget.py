"""The time that an invocation has left, for work that may take longer and then goes on in the next invocation."""

import math
from collections.abc import Callable
from typing import Final

TIME_TO_END: Final = 60.0  # seconds to write a checkpoint, or to finish


class OutOfTime(Exception):  # noqa: N818 - names what happened
    """The invocation ends soon: a checkpoint is due."""


class TimeBudget:
    """The time that an invocation has left."""

    def __init__(self, seconds_left: Callable[[], float] = lambda: math.inf) -> None:
        """Take the clock of the invocation; without one there is always time."""
        self._seconds_left = seconds_left

    @property
    def low(self) -> bool:
        """Tell whether too little time is left to begin anything more."""
        return self._seconds_left() < TIME_TO_END

    def check(self) -> None:
        """Raise OutOfTime when the time is low."""
        if self.low:
            raise OutOfTime
