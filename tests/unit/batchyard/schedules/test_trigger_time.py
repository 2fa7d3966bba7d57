"""A firing gathers no longer than its function has; the sweep goes on with it."""

from batchyard.domain.numbers import HOUR
from batchyard.domain.step import TIME_TO_END
from batchyard.schedules.trigger import trigger
from batchyard.schedules.upkeep import UNDER_WAY
from tests.fakes.gathered import lines_of
from tests.unit.batchyard.schedules.test_thresholds import Stack


def test_a_firing_gathers_no_longer_than_its_function_has() -> None:
    stack = Stack()
    stack.put(a=lines_of("a", 1))
    stack.services.wait(HOUR)
    event = {**stack.whose, "scheduled_at": "2026-09-21T15:13:20Z"}
    assert trigger(stack.services, event, lambda: TIME_TO_END - 1) is None
    assert stack.services.batch_store.batches == {}
    assert stack.services.schedule_store.known[stack.schedule_id].open is not None
    (left,) = stack.services.gather_store.open_firings()
    assert left.due_at == stack.services.now()  # the sweep has another function go on at once
    stack.services.wait(UNDER_WAY)
    assert stack.files(stack.sweep()) == 1
