"""What a stopped stack cancels at the user's own provider, with a stack and a provider of paper."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batch_client import APIConnectionError, ConflictError, Look, State
from local.run import cancel_at_once as module
from local.run.cancel_at_once import cancel_at_once
from local.stack.running import Stack

SENT = "Running an input again sends, and pays for, all of its requests again."


def batch(batch_id: str, *attempts: dict[str, Any], status: str = "in_progress") -> list[dict[str, Any]]:
    """Return the records of a batch with one shard, or with none if it has no attempts."""
    shard = {"pk": f"BATCH#{batch_id}", "sk": "SHARD#0", "shard": 0, "status": "waiting", "attempts": list(attempts)}
    return [{"pk": f"BATCH#{batch_id}", "sk": "BATCH", "status": status}, *([shard] if attempts else [])]


class Clients:
    """The engine: pages of records, one after the other for each look, and the functions that were stopped."""

    def __init__(self, *looks: list[dict[str, Any]]) -> None:
        self._looks = list(looks)
        self.did: list[str] = []

    def table(self, _: str) -> Any:
        return SimpleNamespace(scan=self._scan)

    def _scan(self, **_: Any) -> dict[str, Any]:
        self.did.append("look")
        return {"Items": self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]}

    def other(self, _: str) -> Any:
        pages = [{"Functions": [{"FunctionName": "submit"}]}, {"Functions": [{"FunctionName": "poll"}]}]

        def put(*, FunctionName: str, ReservedConcurrentExecutions: int) -> None:  # noqa: N803 - boto3's names
            assert ReservedConcurrentExecutions == 0
            self.did.append(f"stop {FunctionName}")

        return SimpleNamespace(
            get_paginator=lambda _: SimpleNamespace(paginate=lambda: pages),
            put_function_concurrency=put,
            delete_function=lambda **given: self.did.append(f"end {given['FunctionName']}"),
        )


class Provider:
    """A provider that cancels what is not over; `over` has the statuses of what is."""

    def __init__(self, **over: str) -> None:
        self.over = over
        self.asked: list[str] = []
        self.names: set[str] = set()

    def named(self, _: str) -> Any:
        return SimpleNamespace(name="")

    @contextmanager
    def asking(self, own: Any, name: str, _: float) -> Iterator[Any]:
        assert own is self
        self.names.add(name)
        yield SimpleNamespace(stop=self.cancel, look=self.retrieve)

    def cancel(self, batch_id: str) -> Look:
        self.asked.append(batch_id)
        if batch_id in self.over:
            raise ConflictError("it is over")
        return Look(id=batch_id, state=State.ENDING, status="cancelling")

    def retrieve(self, batch_id: str) -> Look:
        return Look(id=batch_id, state=State.ENDED, status=self.over[batch_id])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.5)
    monkeypatch.setattr(module, "_QUIET_SECONDS", 0.0)
    monkeypatch.setattr(module, "_LAST_SECONDS", 0.1)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "asking", lambda own, *given: own.asking(own, *given))


def told(clients: Any, provider: Any) -> list[str]:
    said: list[str] = []
    cancel_at_once(Stack(clients, {"TableName": "t"}, "http://provider", (), Path()), provider, said.append)
    return said


def running(provider_batch_id: str, **members: Any) -> dict[str, Any]:
    return {"provider_batch_id": provider_batch_id, **members}


def test_nothing_is_said_where_no_batch_is_open() -> None:
    assert told(Clients(batch("a", running("p", ended_at=1), status="completed")), Provider()) == []


def test_what_runs_is_cancelled_and_what_is_over_is_told() -> None:
    clients = Clients([*batch("a", running("p1")), *batch("b", running("p2")), *batch("c")])
    assert told(clients, Provider(p2="completed")) == [
        "Cancelling 3 batches at the provider. Ctrl-C again ends at once; what runs there then runs on, and is paid.",
        "The provider cancels p1; what it has finished of them is paid.",
        "The provider has ended p2; their answers were not fetched.",
        SENT,
    ]


def test_only_the_provider_that_a_shard_names_is_asked() -> None:
    records = batch("a", running("p1"))
    records[1]["provider"] = "groq"
    provider = Provider()
    told(Clients(records), provider)
    assert (provider.names, provider.asked) == ({"groq"}, ["p1"])


def test_the_last_look_comes_when_no_function_runs_any_more() -> None:
    clients = Clients(batch("a", running("p1")))
    told(clients, Provider())
    assert clients.did[:3] == ["look", "stop submit", "stop poll"]
    assert clients.did[-3:] == ["end submit", "end poll", "look"]


def test_a_function_that_runs_may_still_record_what_it_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUIET_SECONDS", 0.05)
    provider = Provider()
    before = batch("a")
    told(Clients(before, before, before, batch("a", running("p1"))), provider)
    assert provider.asked == ["p1"]


def test_a_batch_that_has_ended_but_left_something_running_is_cancelled_too() -> None:
    provider = Provider()
    told(Clients(batch("a", running("p1"), status="cancelled")), provider)
    assert provider.asked == ["p1"]


def test_what_was_being_created_is_awaited_and_then_cancelled() -> None:
    before = batch("a", {"creating_at": 1})
    provider = Provider()
    said = told(Clients(before, before, batch("a", running("p1", creating_at=1))), provider)
    assert provider.asked == ["p1"]
    assert said[1:] == [
        "The provider cancels p1; what it has finished of them is paid.",
        "Running this input again sends, and pays for, all of its requests again.",
    ]


def test_what_may_have_been_created_is_told_at_the_end_of_the_time() -> None:
    clients = Clients([*batch("a", {"creating_at": 1}), *batch("b", {"creating_at": 1})])
    assert told(clients, Provider())[1:] == [
        "One more may just have been created; its metadata, if the provider keeps any, says batchyard_batch = a or b.",
        SENT,
    ]


def test_nothing_was_paid_where_nothing_was_sent() -> None:
    assert told(Clients([*batch("a"), *batch("b")]), Provider())[1:] == [
        "The provider was given no batch, so nothing is paid."
    ]


def test_many_batches_are_cancelled_side_by_side_and_counted_in_one_sentence() -> None:
    together = threading.Barrier(4, timeout=5)

    class Slow(Provider):
        def cancel(self, batch_id: str) -> Any:
            together.wait()  # for ever, unless four are asked at once
            return super().cancel(batch_id)

    clients = Clients([record for number in range(12) for record in batch(f"b{number}", running(f"p{number}"))])
    names = ", ".join(f"p{number}" for number in range(10))
    assert told(clients, Slow())[1] == (
        f"The provider cancels 12 batches ({names} and 2 more); what it has finished of them is paid."
    )


def test_what_the_provider_does_not_answer_about_is_named_one_by_one_and_in_time() -> None:
    class Silent(Provider):
        def cancel(self, batch_id: str) -> Any:
            self.asked.append(batch_id)
            raise APIConnectionError("no answer")

    clients = Clients([record for number in range(11) for record in batch(f"b{number}", running(f"p{number}"))])
    provider = Silent()
    names = ", ".join(f"p{number}" for number in range(11))
    assert told(clients, provider)[1] == f"Not cancelled, so that it may run on and is paid: {names}."
    assert provider.asked.count("p0") > 1


def test_a_provider_that_hangs_ends_with_the_time() -> None:
    released = threading.Event()

    class Hanging(Provider):
        def cancel(self, _: str) -> Any:
            released.wait(5)
            raise APIConnectionError("too late")

    try:
        assert told(Clients(batch("a", running("p1"))), Hanging())[1] == (
            "Not cancelled, so that it may run on and is paid: p1."
        )
    finally:
        released.set()
