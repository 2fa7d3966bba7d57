"""Work that is longer than an invocation: it watches the clock, and what is left goes on in the next."""

from collections.abc import Callable
from typing import Final

TIME_TO_END: Final = 60.0  # seconds to put down what was done, or to finish

InTime = Callable[[], None]


class OutOfTime(Exception):  # noqa: N818 - names what happened
    """The invocation ends soon."""


def watch(seconds_left: Callable[[], float]) -> InTime:
    """Make a function that raises OutOfTime when time runs low."""

    def in_time() -> None:
        if seconds_left() < TIME_TO_END:
            raise OutOfTime

    return in_time
