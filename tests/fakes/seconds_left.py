"""The clock of an invocation that ends, or dies, after so many looks at the clock."""

import math

from batchyard.domain.step import TIME_TO_END


class Killed(BaseException):
    """The process is gone: nothing of ours may catch it."""


class SecondsLeft:
    """Tell the seconds that an invocation has left: enough for so many looks, and then too little.

    With `dies_at`, the process dies at that look; the first look is 1.
    """

    def __init__(self, looks: float = math.inf, *, dies_at: int = 0) -> None:
        self.looks, self.dies_at, self.looked = looks, dies_at, 0

    def __call__(self) -> float:
        self.looked += 1
        if self.looked == self.dies_at:
            raise Killed
        return TIME_TO_END - 1 if self.low else TIME_TO_END + 1

    @property
    def low(self) -> bool:
        """Tell whether the last look showed too little time."""
        return self.looked > self.looks
