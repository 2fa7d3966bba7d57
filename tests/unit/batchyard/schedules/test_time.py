"""A firing begins nothing that its function has no time for; the sweep goes on with it."""

from collections.abc import Iterator

import pytest

from batchyard.adapters.bucket import InboxPage
from batchyard.domain.numbers import HOUR, MINUTE
from batchyard.domain.step import TIME_TO_END
from batchyard.schedules.trigger import trigger
from batchyard.schedules.upkeep import UNDER_WAY
from tests.fakes.bucket import MemoryBucket
from tests.fakes.gathered import lines_of
from tests.unit.batchyard.schedules.test_thresholds import Stack


def leave_a_firing(stack: Stack) -> None:
    """Let an hour pass, and have a function that has no time for its firing leave it."""
    stack.services.wait(HOUR)
    stack.hours += 1
    event = {**stack.whose, "scheduled_at": "2026-09-21T15:13:20Z"}
    assert trigger(stack.services, event, lambda: TIME_TO_END - 1) is None
    assert stack.services.schedule_store.known[stack.schedule_id].open is not None


def test_a_firing_behind_one_that_was_left_counts_nothing_that_it_has_no_time_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One telling of the clock goes on with the firing that was left, and begins the next: both count, and gather."""
    stack, real = Stack(min_lines=2), MemoryBucket.inbox
    stack.put(a=lines_of("a", 1))
    leave_a_firing(stack)

    def slowly(bucket: MemoryBucket, prefix: str, after: str = "") -> Iterator[InboxPage]:
        yield from real(bucket, prefix, after)
        stack.services.wait(5 * MINUTE)

    monkeypatch.setattr(MemoryBucket, "inbox", slowly)
    began = stack.services.now() + HOUR
    assert stack.fire() is None
    assert "1 of at least 2 lines" in (stack.reason or "")
    assert stack.services.now() - began == 5 * MINUTE  # it was listed once, and not again behind that
    stack.put(b=lines_of("b", 1))
    stack.services.wait(UNDER_WAY)
    assert stack.files(stack.sweep()) == 2
    assert stack.services.schedule_store.known[stack.schedule_id].open is None


def test_a_firing_gathers_no_longer_than_its_function_has() -> None:
    stack = Stack()
    stack.put(a=lines_of("a", 1))
    leave_a_firing(stack)
    assert stack.services.batch_store.batches == {}
    (left,) = stack.services.gather_store.open_firings()
    assert left.due_at == stack.services.now()  # the sweep has another function go on at once
    stack.services.wait(UNDER_WAY)
    assert stack.files(stack.sweep()) == 1
