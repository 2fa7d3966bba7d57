"""Turn the signals that ask the program to end into one exception."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WATCH_SECONDS = 0.2
_NAP_SECONDS = 0.1
_HURRYING = (
    b"\nHurrying: what is there is still written, and then this ends. Ctrl-C once more ends at once, without it.\n"
)


class Stopped(BaseException):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        #: The exit status that follows.
        self.status = 128 + number
        #: Whether the end may take minutes: after Ctrl-C a person is there, who can press Ctrl-C again.
        self.patient = number == signal.SIGINT


class Hurry:
    """Whether a person who has stopped the program wants the end of it at once."""

    def __init__(self) -> None:
        #: Whether Ctrl-C was pressed once more.
        self.asked = False

    def nap(self, seconds: float) -> None:
        """Sleep so long, or until a person hurries."""
        end = time.monotonic() + seconds
        while not self.asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _NAP_SECONDS))


class TookTooLong(BaseException):
    """What was bounded did not end in time; no library that retries or translates errors takes this for one of its own."""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise TookTooLong in the block once so many seconds are over, also while it waits; for the main thread alone."""

    def stop(*_: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def exit_on_signals() -> None:
    """Exit at once, and without a word, at the next of these signals: nothing is started yet."""
    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda number, _frame: os._exit(128 + number))


def raise_on_signals() -> None:
    """Raise Stopped at the next Ctrl-C, SIGTERM or hang-up; later signals are ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, _stop)


def ignore_signals() -> None:
    """Ignore these signals, so that nothing interrupts the end of the program, which takes seconds."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def hurried_by_ctrl_c() -> Iterator[Hurry]:
    """Note the next Ctrl-C in the block, and say so; one more, or any other of these signals, raises Stopped."""
    hurry = Hurry()

    def note(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, _stop)
        hurry.asked = True
        os.write(2, _HURRYING)  # the stream of Python may be in the middle of a line of ours

    raise_on_signals()
    signal.signal(signal.SIGINT, note)
    try:
        yield hurry
    finally:
        ignore_signals()


def end_with_parent(parent: int) -> None:
    """End the program by SIGTERM when the process `parent` has ended; a killed `make` or terminal sends no signal."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(number: int, _frame: FrameType | None) -> None:
    ignore_signals()
    raise Stopped(number)
