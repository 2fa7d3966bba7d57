"""The emulator's clock: the time of day, plus the seconds that tests have advanced it by."""

import threading
import time
from collections.abc import Callable


class ClockStoppedError(Exception):
    """The emulator is ending, and nothing may wait on its clock any longer."""


class Clock:
    """A clock that can be advanced and waited on; threads may share it."""

    def __init__(self) -> None:
        self._advanced = 0.0
        self._stopped = False
        self._changed = threading.Condition()

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return time.time() + self._advanced

    def seconds(self) -> int:
        """Return the time in whole Unix seconds, as the API shows times."""
        return int(self.now())

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`, and wake every waiting thread."""
        with self._changed:
            self._advanced += seconds
            self._changed.notify_all()

    def wake(self) -> None:
        """Wake every waiting thread, which then checks again what it waits for."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """End every present and future wait with ClockStoppedError."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def wait_until(self, moment: float, interrupted: Callable[[], bool]) -> None:
        """Wait until `moment` (Unix seconds, or infinity) or until `interrupted()` is true.

        Raises ClockStoppedError when the emulator ends.
        """
        with self._changed:
            while True:
                if self._stopped:
                    raise ClockStoppedError
                left = moment - self.now()
                if interrupted() or left <= 0:
                    return
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
