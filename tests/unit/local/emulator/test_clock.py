import math
import threading
import time
from collections.abc import Callable

import pytest

from local.emulator.clock import Clock, ClockStoppedError


def waiting(clock: Clock, moment: float, interrupted: Callable[[], bool] = lambda: False) -> threading.Thread:
    def wait() -> None:
        clock.wait_until(moment, interrupted)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_a_clock_shows_wall_time_until_it_is_advanced() -> None:
    clock = Clock()
    assert abs(clock.now() - time.time()) < 1
    clock.advance(86_400)
    assert abs(clock.now() - time.time() - 86_400) < 1


def test_advancing_ends_a_wait() -> None:
    clock = Clock()
    thread = waiting(clock, clock.now() + 3_600)
    clock.advance(3_600)
    thread.join(5)
    assert not thread.is_alive()


def test_an_interruption_ends_an_endless_wait() -> None:
    clock, cancelled = Clock(), threading.Event()
    thread = waiting(clock, math.inf, cancelled.is_set)
    cancelled.set()
    clock.wake()
    thread.join(5)
    assert not thread.is_alive()


def test_a_stopped_clock_lets_nobody_wait() -> None:
    clock = Clock()
    clock.stop()
    with pytest.raises(ClockStoppedError):
        clock.wait_until(math.inf, lambda: False)
