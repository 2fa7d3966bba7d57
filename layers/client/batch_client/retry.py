"""Retries: when to try again, and how long to wait before; bounded in number, in each delay and in total."""

from collections.abc import Callable
from itertools import count
from typing import Protocol, TypeVar

import msgspec

from .errors import BatchClientError

T = TypeVar("T")


class Clock(Protocol):
    """Tell the time, and wait; the standard module `time` is such a clock."""

    def monotonic(self) -> float:
        """Return seconds that never decrease."""

    def time(self) -> float:
        """Return Unix seconds."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Bound the retries of one call; times are in seconds.

    A delay is random between 0 and min(`ceiling`, `floor` · 2^n). The service's Retry-After is added to the delay.
    """

    #: The most retries of one call.
    max_retries: int = 4
    #: The upper bound of the first delay.
    floor: float = 0.5
    #: The upper bound of every delay.
    ceiling: float = 8.0
    #: The most of a Retry-After that is followed.
    retry_after_cap: float = 60.0
    #: The time after the begin of the call in which a retry may start.
    total: float = 180.0

    def delay(self, retry: int, asked: float | None, random: Callable[[], float]) -> float:
        """Return the seconds to wait before the retry with the number `retry`, from 0."""
        jitter = random() * min(self.ceiling, self.floor * 2.0 ** min(retry, 30))
        return jitter if asked is None else min(asked, self.retry_after_cap) + jitter


class Retrier:
    """Repeat calls by one policy, one clock and one source of random numbers."""

    def __init__(self, policy: RetryPolicy, clock: Clock, random: Callable[[], float]) -> None:
        self.policy = policy
        self.clock = clock
        self.random = random

    def run(self, call: Callable[[], T], may_repeat: Callable[[BatchClientError], bool]) -> T:
        """Return what `call` returns; repeat the call after errors that `may_repeat` accepts, and raise the last error."""
        started = self.clock.monotonic()
        for retry in count():  # wait() returns False after the last retry
            try:
                return call()
            except BatchClientError as error:
                error.attempts = retry + 1
                if not may_repeat(error) or not self.wait(retry, error, started):
                    raise
        raise AssertionError  # never: count() has no end

    def wait(self, retry: int, error: BatchClientError, started: float) -> bool:
        """Wait before the next try and return True; return False at once if the retries or the time are used up."""
        delay = self.policy.delay(retry, error.retry_after, self.random)
        elapsed = self.clock.monotonic() - started
        if retry >= self.policy.max_retries or elapsed + delay > self.policy.total:
            return False
        self.clock.sleep(delay)
        return True


def harmless(error: BatchClientError) -> bool:
    """Allow a call without lasting effect to be repeated after each error that is `retryable`."""
    return error.retryable
