"""The sweep sees to every schedule, however many there are: a run goes on where the last one stopped."""

from typing import Any

from batchyard.api.batches import of_schedule
from batchyard.domain.numbers import HOUR
from batchyard.recovery.missed_firings import see_to_schedules
from batchyard.recovery.sweep_run import RESERVE, SweepRun
from batchyard.schedules import requests
from tests.fakes.services import MemoryServices

KEY = "inbox/default/daily.jsonl"
BODY: dict[str, Any] = {"schedule": "rate(1 hour)", "input": {"key": KEY}, "endpoint": "/v1/chat/completions"}


def swept(services: MemoryServices, most: int = 100) -> list[str]:
    """Sweep with the time for so many schedules, and name those that are to fire."""
    looks = iter(range(10_000))
    see_to_schedules(SweepRun(services, lambda: RESERVE + 1 if next(looks) < most else RESERVE - 1))
    asked, services.trigger_function.invoked = services.trigger_function.invoked, []
    return [str(each["schedule_id"]) for each in asked]


def test_schedules_that_use_up_the_time_keep_none_from_its_turn() -> None:
    services = MemoryServices()
    made = [
        requests.create_schedule(services, "default", {**BODY, "name": name}, of_schedule)["id"] for name in "abcde"
    ]
    services.wait(3 * HOUR)  # and the clock told of no firing
    order = swept(services)
    assert sorted(order) == sorted(made)
    assert [swept(services, 2) for _ in range(4)] == [order[:2], order[2:4], order[4:], order[:2]]
    requests.delete_schedule(services, "default", order[1])  # where the last one stopped
    assert swept(services) == order[2:]
    assert swept(services) == [order[0], *order[2:]]
