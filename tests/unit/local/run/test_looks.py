"""Providers that are asked side by side, and who of them is silent."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from batch_client import APIConnectionError, Look, NotFoundError, ServerError, State
from local.run import looks as module
from local.run.looks import Looks, side_by_side
from local.run.records import Held

A, B, OTHER = Held("dead", "a"), Held("dead", "b"), Held("good", "c")


class Providers:
    """Two providers; `trouble` has what a call of one of them raises, and `asked` what was asked for."""

    def __init__(self) -> None:
        self.trouble: dict[str, Exception] = {}
        self.asked: list[str] = []
        self.lost: set[str] = set()

    def named(self, name: str) -> Any:
        return SimpleNamespace(name=name) if name in {"dead", "good"} else None

    @contextmanager
    def asking(self, name: str, _: float) -> Iterator[Any]:
        def answer(job: str) -> Look:
            self.asked.append(job)
            if name in self.trouble:
                raise self.trouble[name]
            if job in self.lost:
                raise NotFoundError("no such batch", status=404)
            return Look(id=job, state=State.ENDING, status="cancelling")

        yield SimpleNamespace(look=answer, stop=answer, jobs=lambda: iter([answer("list")]))


@pytest.fixture(autouse=True)
def of_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "asking", lambda own, *given: own.asking(*given))


@pytest.fixture
def providers() -> Any:
    return Providers()


def test_one_that_answers_nothing_is_silent_from_its_first_call_until_it_answers(providers: Any) -> None:
    now = [0.0]
    looks = Looks(providers, clock=lambda: now[0])
    providers.trouble["dead"] = APIConnectionError("No whole answer from 127.0.0.1:9: the connection is refused")
    looks.look([A, B, OTHER])
    now[0] = 7.0
    looks.look([A, B, OTHER])
    assert (looks.silent_seconds("dead"), looks.silent_seconds("good")) == (7.0, None)
    assert looks.why("dead") == "the connection is refused"
    assert looks.shown == {A: None, B: None, OTHER: Look(id="c", state=State.ENDING, status="cancelling")}
    providers.trouble.clear()
    looks.look([A])
    assert looks.silent_seconds("dead") is None
    assert looks.shown[A] is not None


def test_of_many_batches_of_a_silent_one_few_are_asked_for(providers: Any) -> None:
    looks = Looks(providers)
    providers.trouble["dead"] = APIConnectionError("no answer")
    looks.stop([Held("dead", f"{number}") for number in range(200)])
    assert len(providers.asked) <= 16


@pytest.mark.parametrize("error", [ServerError("down", status=503), NotFoundError("no such batch", status=404)])
def test_an_answer_that_tells_nothing_counts_as_none(providers: Any, error: Exception) -> None:
    looks = Looks(providers)
    providers.trouble["dead"] = error
    looks.look([A])
    assert looks.silent_seconds("dead") is not None


def test_a_batch_that_its_provider_does_not_know_any_more_is_silent_beside_others(providers: Any) -> None:
    looks = Looks(providers)
    providers.lost = {"a"}
    looks.look([A, B])
    assert looks.silent_seconds("dead") is None
    assert [looks.silent_seconds("dead", each) is not None for each in (A, B)] == [True, False]
    assert looks.why("dead") == "HTTP 404: it does not know the batch"


def test_a_provider_of_which_no_batch_is_known_is_asked_for_its_list(providers: Any) -> None:
    looks = Looks(providers)
    looks.look([A], ["dead", "good"])
    assert sorted(providers.asked) == ["a", "list"]


def test_a_provider_batch_is_named_with_its_provider(providers: Any) -> None:
    assert [Looks(providers).titled(held) for held in (A, Held("gone", "x"))] == ["a at dead", "x at gone"]


def test_a_call_that_hangs_is_waited_for_no_longer_than_until_it_is_over() -> None:
    released, end = threading.Event(), time.monotonic() + 0.2
    calls = {"hangs": lambda: released.wait(20), "answers": lambda: True}
    try:
        assert side_by_side(calls, lambda: time.monotonic() > end) == {"answers": True}
    finally:
        released.set()


def test_what_a_call_raises_is_raised() -> None:
    def fails() -> None:
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        side_by_side({"": fails}, lambda: False)
