"""Patience: a laptop that sleeps, a connection that drops, a service that restarts. The work goes on when they are back."""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from batch_client import APIConnectionError, BatchClientError, RateLimitError, ServerError

T = TypeVar("T")

LONGEST_PAUSE: Final = 30.0  # seconds
LONGEST_CALL: Final = 180.0  # seconds that a call counts for; the clock of a laptop that slept says more
USUAL_PATIENCE: Final = 3_600.0  # seconds without any answer, after which the command ends


class Patience:
    """Repeat harmless calls while the service cannot be reached, once it was reached; tell about it once."""

    def __init__(
        self,
        say: Callable[[str], None],
        longest: float = USUAL_PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wait at most `longest` seconds without an answer."""
        self._say, self._longest, self._sleep, self._clock = say, longest, sleep, clock
        self._reached = False
        self._told = False
        self._lock = threading.Lock()

    def run(self, call: Callable[[], T]) -> T:
        """Return what a call returns; raises its error once patience ends, or if waiting does not help."""
        waited, pause = 0.0, 1.0
        while True:
            began = self._clock()
            try:
                found = call()
            except BatchClientError as error:
                passing = isinstance(error, APIConnectionError | ServerError | RateLimitError) and error.retryable
                waited += min(self._clock() - began, LONGEST_CALL) + pause
                if not passing or not self._reached or waited > self._longest:
                    raise
                self._tell(error)
                self._sleep(max(pause, min(error.retry_after or 0.0, LONGEST_PAUSE)))
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                self._reached = True
                if self._told:
                    self._tell(None)
                return found

    def _tell(self, error: BatchClientError | None) -> None:
        with self._lock:
            if error is not None and not self._told:
                self._say(f"{error.message.rstrip('.')}. Trying again …")
            if error is None and self._told:
                self._say("It goes on.")
            self._told = error is not None
