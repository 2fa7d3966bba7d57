"""The time that an invocation has left: longer work stops at a checkpoint, and the next invocation goes on."""

from collections.abc import Callable
from typing import Final

TIME_TO_END: Final = 60.0  # seconds to write the checkpoint, or to finish

InTime = Callable[[], None]


class OutOfTime(Exception):  # noqa: N818 - names what happened
    """The invocation ends soon: write the checkpoint."""


def watch(seconds_left: Callable[[], float]) -> InTime:
    """Return a function that raises OutOfTime when the invocation ends soon."""

    def in_time() -> None:
        if seconds_left() < TIME_TO_END:
            raise OutOfTime

    return in_time
