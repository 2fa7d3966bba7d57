"""Number the batches of one emulator, of whatever kind, in the order of their creation."""

import threading


class Ordinals:
    """Count from 1; threads may share the count."""

    def __init__(self) -> None:
        self._coming = 1
        self._lock = threading.Lock()

    @property
    def coming(self) -> int:
        """Return the number that is taken next."""
        with self._lock:
            return self._coming

    def take(self) -> int:
        """Take the next number."""
        with self._lock:
            self._coming += 1
            return self._coming - 1
