"""How someone's wish to end the program reaches it: as one exception, wherever it is."""

import os
import signal
import time
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WATCH_SECONDS = 0.2


class Stopped(BaseException):
    """Someone asked the program to end; its number is that of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number
        self.patient = number == signal.SIGINT  # a person at the keyboard, who can stop the stopping


def heed_signals() -> None:
    """Raise Stopped at the next Ctrl-C, SIGTERM or hang-up; those that follow it are ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, _stop)


def ignore_signals() -> None:
    """Let nothing interrupt what follows: ending takes seconds and should not be torn."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def end_with_parent(parent: int) -> None:
    """Ask the program to end when the process `parent` is gone: `make`, or a terminal, may be killed without a word to us."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(number: int, _frame: FrameType | None) -> None:
    ignore_signals()
    raise Stopped(number)
