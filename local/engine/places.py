"""Bound the Lambda workers by the cores: a number of invocations runs at once, and the others wait for a place.

ministack starts a worker process for each invocation that finds none idle. A process takes half a second of a core and
50 MB, so a hundred uploads at once would leave no time for the work itself, nor for the answers of the HTTP API.
"""
# ruff: noqa: SLF001 - ministack offers no public way in; tests/integration/local/engine/test_mends.py holds these names

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from importlib import import_module
from typing import Any, Final

Module = Any  # the engine ships no types

_CORES: Final = os.cpu_count() or 1
#: Tasks of state machines that run at once; some wait for the provider, and need no core.
TASKS: Final = max(3, _CORES + 1)
#: Requests of the HTTP API that run at once. Neither tasks nor events take their places.
REQUESTS: Final = 2
#: All other invocations that run at once: events, and calls of Lambda itself.
OTHERS: Final = max(2, _CORES)
#: Worker processes, idle ones included: a few more than there are functions, or than run at once.
MOST_WORKERS: Final = max(16, 3 * _CORES)


class Places:
    """A bounded number of places, given in the order in which they are asked for."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting = deque[threading.Event]()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Take a place; wait until there is one, however long that takes."""
        mine = threading.Event()
        with self._lock:
            if self._free:
                self._free -= 1
                return
            self._waiting.append(mine)
        mine.wait()

    def give_back(self) -> None:
        """Give a place to whoever has waited longest, or keep the place if nobody waits."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


#: Where the invocations of a context take their places: None if a place was taken for them; unset for `others`.
Queue = ContextVar[Places | None]


def mend_worker_places() -> None:
    """Let an invocation wait for a place; ministack starts a worker for each, and refuses invocations beyond a number."""
    functions: Module = import_module("ministack.services.lambda_svc")
    runtime: Module = import_module("ministack.core.lambda_runtime")
    requests, queue = Places(REQUESTS), ContextVar[Places | None]("queue")
    wait_for_places(functions, Places(OTHERS), queue)
    place_tasks(import_module("ministack.services.stepfunctions"), Places(TASKS), queue)
    place_requests(import_module("ministack.services.apigateway"), requests, queue)
    end_idle_workers(functions, runtime, lambda: queue.get(None) is requests)


def wait_for_places(functions: Module, others: Places, queue: Queue) -> None:
    """Let each invocation take a place before it asks whether its function may run, and give the place back at its end."""
    acquire, release = functions._acquire_execution_slot, functions._release_execution_slot

    def acquire_in_turn(function: object, config: object) -> tuple[str | None, str | None]:
        places = queue.get(others)
        if places:
            places.take()
        slot: tuple[str | None, str | None] = acquire(function, config)
        if places and slot[0] is None:  # the function's own reserved concurrency refuses the invocation
            places.give_back()
        return slot

    def release_to_next(slot: str) -> None:
        release(slot)
        if places := queue.get(others):
            places.give_back()

    functions._acquire_execution_slot, functions._release_execution_slot = acquire_in_turn, release_to_next


def place_tasks(states: Module, tasks: Places, queue: Queue) -> None:
    """Let the Lambda tasks of state machines take their places from `tasks`; a task's time limit begins with its place."""
    run = states._invoke_resource_with_timeout

    def run_in_turn(resource: str, *task: object) -> object:
        if ":lambda:" not in resource:  # a nested execution must hold no place, for its own tasks need places
            return run(resource, *task)
        tasks.take()
        before = queue.set(None)
        try:
            return run(resource, *task)
        finally:
            queue.reset(before)
            tasks.give_back()

    states._invoke_resource_with_timeout = run_in_turn


def place_requests(gateway: Module, requests: Places, queue: Queue) -> None:
    """Let the requests of an HTTP API take their places from `requests`."""
    invoke = gateway._invoke_lambda_proxy

    async def invoke_in_turn(*request: object, **more: object) -> object:
        before = queue.set(requests)
        try:
            return await invoke(*request, **more)
        finally:
            queue.reset(before)

    gateway._invoke_lambda_proxy = invoke_in_turn


def end_idle_workers(functions: Module, runtime: Module, is_request: Callable[[], bool]) -> None:
    """End idle workers when a new one makes them too many; those of an HTTP API stay, for a request needs one at once."""
    acquire = functions.acquire_worker

    def acquire_within_bounds(*function: object, **more: object) -> tuple[Any, str]:
        worker, how = acquire(*function, **more)
        if how == "spawn":
            worker.stays = is_request()
            with runtime._lock:
                surplus = remove_surplus(runtime._workers, MOST_WORKERS)
            runtime.kill_workers(surplus)
        return worker, how

    functions.acquire_worker = acquire_within_bounds


def remove_surplus(pools: Mapping[str, list[Any]], most: int) -> list[Any]:
    """Remove idle workers from their pools until `most` are left, and return them; the longest idle goes first."""
    surplus = sum(map(len, pools.values())) - most
    idle = [worker for pool in pools.values() for worker in pool if not worker.in_use and not worker.stays]
    removed = sorted(idle, key=lambda worker: worker.last_used)[: max(0, surplus)]
    for pool in pools.values():
        pool[:] = [worker for worker in pool if worker not in removed]
    return removed
