from collections.abc import Callable

import pytest

from batch_client import APIConnectionError, BadRequestError, BatchClientError
from batchyard_client.patience import LONGEST_PAUSE, Patience


class Clock:
    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def failing(*errors: BatchClientError) -> Callable[[], str]:
    left = iter(errors)

    def call() -> str:
        error = next(left, None)
        if error is not None:
            raise error
        return "there"

    return call


def dropped() -> BatchClientError:
    return APIConnectionError("No whole answer from here")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_service_that_was_reached_is_waited_for_and_told_of_once(clock: Clock) -> None:
    said: list[str] = []
    patience = Patience(said.append, 3_600, clock.sleep, lambda: clock.now)
    assert patience.run(failing()) == "there"
    assert patience.run(failing(*[dropped() for _ in range(8)])) == "there"
    assert said == ["No whole answer from here. Trying again …", "It goes on."]
    assert clock.slept == [1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_service_that_was_never_reached_is_not_waited_for(clock: Clock) -> None:
    with pytest.raises(APIConnectionError):
        Patience(lambda _: None, 3_600, clock.sleep, lambda: clock.now).run(failing(dropped()))
    assert clock.slept == []


def test_patience_ends(clock: Clock) -> None:
    patience = Patience(lambda _: None, 600, clock.sleep, lambda: clock.now)
    patience.run(failing())
    with pytest.raises(APIConnectionError):
        patience.run(failing(*[dropped() for _ in range(1_000)]))
    assert 600 - LONGEST_PAUSE <= clock.now <= 600


def test_a_laptop_that_slept_for_a_night_goes_on(clock: Clock) -> None:
    patience = Patience(lambda _: None, 600, clock.sleep, lambda: clock.now)
    patience.run(failing())
    calls = iter([28_800.0, 0.0])

    def slept() -> str:
        night = next(calls)
        clock.now += night
        if night:
            raise dropped()
        return "there"

    assert patience.run(slept) == "there"


def test_a_refusal_is_not_repeated(clock: Clock) -> None:
    patience = Patience(lambda _: None, 600, clock.sleep, lambda: clock.now)
    patience.run(failing())
    with pytest.raises(BadRequestError):
        patience.run(failing(BadRequestError("no")))
    assert clock.slept == []
