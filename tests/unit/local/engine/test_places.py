"""Who gets a place, and which idle workers go."""
# ruff: noqa: SLF001 - ministack's own names, and the queue, which nothing else shows

import threading
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pytest

from local.engine.places import (
    MOST_WORKERS,
    OTHERS,
    REQUESTS,
    TASKS,
    Places,
    place_tasks,
    remove_surplus,
    wait_for_places,
)

SOON = 5.0  # seconds that a thread may need to come to where it waits


def waiting(places: Places, number: int, came: list[int]) -> threading.Thread:
    """Start a thread that waits for a place and then says its number; the thread waits when this returns."""

    def come() -> None:
        places.take()
        came.append(number)

    thread, queued = threading.Thread(target=come, daemon=True), len(places._waiting)
    thread.start()
    while len(places._waiting) == queued:
        thread.join(0.001)
    return thread


def test_whoever_has_waited_longest_gets_the_next_place() -> None:
    places, came = Places(1), list[int]()
    places.take()
    threads = [waiting(places, number, came) for number in range(3)]
    for number, thread in enumerate(threads):
        places.give_back()
        thread.join(SOON)
        assert came == list(range(number + 1))


def test_a_place_that_nobody_waits_for_can_be_taken_again() -> None:
    places = Places(2)
    for _ in range(3):
        places.take()
        places.take()
        places.give_back()
        places.give_back()
    assert not places._waiting  # nobody had to wait, or this would never end


def slots(*, refused: bool = False) -> SimpleNamespace:
    """Return the two functions of the engine that count what runs."""
    slot = (None, "function") if refused else ("slot", None)
    return SimpleNamespace(_acquire_execution_slot=lambda *_: slot, _release_execution_slot=lambda _: None)


def test_an_invocation_that_is_refused_or_ended_leaves_its_place() -> None:
    others, queue = Places(1), ContextVar[Places | None]("queue")
    for functions in (slots(refused=True), slots()):
        wait_for_places(functions, others, queue)
        for _ in range(2):
            slot, _ = functions._acquire_execution_slot({}, {})
            if slot:
                functions._release_execution_slot(slot)
    assert not others._waiting  # the one place was free each time, or this would never end


def tasks_over(places: Places, run: Any) -> Any:
    states = SimpleNamespace(_invoke_resource_with_timeout=run)
    place_tasks(states, places, ContextVar("queue"))
    return states._invoke_resource_with_timeout


def test_the_time_of_a_task_begins_with_its_place() -> None:
    places, begun = Places(1), threading.Event()
    task = tasks_over(places, lambda *_: begun.set())
    places.take()
    thread = threading.Thread(target=task, args=("arn:aws:states:::lambda:invoke", {}, 30), daemon=True)
    thread.start()
    assert not begun.wait(0.1)
    places.give_back()
    thread.join(SOON)
    assert begun.is_set()


def test_a_task_that_fails_leaves_its_place() -> None:
    places = Places(1)

    def fail(*_: object) -> None:
        raise TimeoutError

    task = tasks_over(places, fail)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            task("arn:aws:states:::lambda:invoke", {}, 30)


def test_an_invocation_of_a_task_takes_no_second_place() -> None:
    functions, queue = slots(), ContextVar[Places | None]("queue")
    wait_for_places(functions, Places(0), queue)
    states = SimpleNamespace(_invoke_resource_with_timeout=lambda *_: functions._acquire_execution_slot({}, {}))
    place_tasks(states, Places(1), queue)
    for _ in range(2):
        assert states._invoke_resource_with_timeout("arn:aws:states:::lambda:invoke", {}, 30) == ("slot", None)


def test_a_nested_execution_holds_no_place_that_its_own_tasks_need() -> None:
    task = tasks_over(Places(0), lambda resource, *_: resource)
    assert task("arn:aws:states:::states:startExecution.sync:2", {}, 30).endswith("sync:2")


def worker(last_used: int, *, in_use: bool = False, stays: bool = False) -> SimpleNamespace:
    return SimpleNamespace(last_used=last_used, in_use=in_use, stays=stays)


def test_the_workers_that_were_idle_longest_are_the_surplus() -> None:
    busy, of_api, old, older, new = (
        worker(1, in_use=True),
        worker(1, stays=True),
        worker(3),
        worker(2),
        worker(4),
    )
    pools = {"a": [busy, old, older], "b": [of_api, new]}
    assert remove_surplus(pools, 5) == []
    assert remove_surplus(pools, 3) == [older, old]
    assert pools == {"a": [busy], "b": [of_api, new]}
    assert remove_surplus(pools, 1) == [new]
    assert pools == {"a": [busy], "b": [of_api]}


def test_as_many_workers_may_live_as_may_run_at_once() -> None:
    assert MOST_WORKERS >= TASKS + REQUESTS + OTHERS
