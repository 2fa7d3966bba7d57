"""When to try again, and how long to wait before: bounded in count, in each delay and in total."""

from collections.abc import Callable
from itertools import count
from typing import Protocol, TypeVar

import msgspec

from .errors import BatchClientError

T = TypeVar("T")


class Clock(Protocol):
    """Tell time and pass it; the standard module `time` is one."""

    def monotonic(self) -> float:
        """Give seconds that never run backwards."""

    def time(self) -> float:
        """Give Unix seconds."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Bound the retries of one call; all but `max_retries` are seconds.

    A delay is drawn evenly between 0 and min(`ceiling`, `floor` · 2^n); the service's Retry-After is a lower bound on
    it, itself capped at `retry_after_cap`; no retry starts once `total` has passed since the call began.
    """

    max_retries: int = 4
    floor: float = 0.5
    ceiling: float = 8.0
    retry_after_cap: float = 60.0
    total: float = 180.0

    def delay(self, retry: int, asked: float | None, random: Callable[[], float]) -> float:
        """Give the seconds to wait before retry number `retry`, counted from 0."""
        jitter = random() * min(self.ceiling, self.floor * 2.0 ** min(retry, 30))
        return jitter if asked is None else min(asked, self.retry_after_cap) + jitter


class Retrier:
    """Repeat calls under one policy, clock and source of randomness."""

    def __init__(self, policy: RetryPolicy, clock: Clock, random: Callable[[], float]) -> None:
        self.policy = policy
        self.clock = clock
        self.random = random

    def run(self, call: Callable[[], T], may_repeat: Callable[[BatchClientError], bool]) -> T:
        """Return what `call` returns; repeat it after errors that `may_repeat`, then let the last error pass."""
        started = self.clock.monotonic()
        for retry in count():  # wait() refuses after the last
            try:
                return call()
            except BatchClientError as error:
                error.attempts = retry + 1
                if not may_repeat(error) or not self.wait(retry, error, started):
                    raise
        raise AssertionError  # never: count() has no end

    def wait(self, retry: int, error: BatchClientError, started: float) -> bool:
        """Sleep before the next try and answer True, or answer False at once when count or time is used up."""
        delay = self.policy.delay(retry, error.retry_after, self.random)
        elapsed = self.clock.monotonic() - started
        if retry >= self.policy.max_retries or elapsed + delay > self.policy.total:
            return False
        self.clock.sleep(delay)
        return True


def harmless(error: BatchClientError) -> bool:
    """Allow repeating a call without lasting effect: whenever it may help."""
    return error.retryable
