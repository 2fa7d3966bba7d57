"""Waits that neither miss the end by much nor wear out the state machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.pacing import poll_wait, retry_wait
from batchyard.settings import Settings

FLOOR, CEILING = Settings.poll_floor_seconds, Settings.poll_ceiling_seconds
EVENTS_A_TURN, MOST_EVENTS = 9, 25_000
HOUR, DAY = 3_600, 86_400
CHANCE = st.floats(0, 1, exclude_max=True)


def turns(length: int, finished_at: float, total: int, chance: float, ceiling: int = CEILING) -> int:
    """Count the looks at a batch of which all but one request are finished at a share of its length."""
    elapsed, count = 0, 0
    while elapsed < length:
        finished = min(total - 1, int(total * elapsed / (length * finished_at)))
        elapsed += poll_wait(elapsed, finished, total, min(FLOOR, ceiling), ceiling, chance)
        count += 1
    return count


@given(st.floats(-DAY, 30 * DAY), st.integers(0, 50_000), st.integers(0, 50_000), CHANCE)
def test_a_wait_is_between_the_floor_and_the_ceiling_less_its_spread_until_a_history_could_not_hold_the_looks(
    elapsed: float, finished: int, total: int, chance: float
) -> None:
    wait = poll_wait(elapsed, finished, total, FLOOR, CEILING, chance)
    assert FLOOR * 0.9 <= wait <= max(CEILING, round(elapsed / 800))
    assert wait <= CEILING or elapsed > 5 * DAY


@given(st.floats(0, 30 * DAY), st.integers(0, 50_000), CHANCE)
def test_a_wait_is_at_least_a_second_even_without_a_floor(elapsed: float, finished: int, chance: float) -> None:
    assert poll_wait(elapsed, finished, 50_000, 0, CEILING, chance) >= 1
    assert retry_wait(finished, 0, CEILING, chance) >= 1


@pytest.mark.parametrize("length", [HOUR, DAY, 7 * DAY])
@pytest.mark.parametrize("finished_at", [0.001, 0.5, 1.0])
@pytest.mark.parametrize("total", [1, 1_000, 50_000])
@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_an_execution_can_hold_the_looks_even_when_the_last_request_hangs(
    length: int, finished_at: float, total: int, chance: float
) -> None:
    assert turns(length, finished_at, total, chance) * EVENTS_A_TURN < MOST_EVENTS


@pytest.mark.parametrize("ceiling", [1, 5, 30, 60, 300])
@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_seven_days_of_looks_can_be_held_however_low_the_ceiling_is_set(ceiling: int, chance: float) -> None:
    assert turns(7 * DAY, 1.0, 50_000, chance, ceiling) * EVENTS_A_TURN < MOST_EVENTS


def test_a_wait_without_progress_is_a_twentieth_of_the_time_gone() -> None:
    assert poll_wait(2 * HOUR, 0, 100, FLOOR, CEILING, 0.0) == 360


def test_an_end_that_progress_predicts_is_noticed_in_half_the_time_left() -> None:
    assert poll_wait(2 * HOUR, 95, 100, FLOOR, CEILING, 0.0) == round(2 * HOUR * 5 / 95 / 2)


def test_a_near_end_is_not_waited_for_by_less_than_a_hundredth_of_the_time_gone() -> None:
    assert poll_wait(2 * HOUR, 49_999, 50_000, FLOOR, CEILING, 0.0) == 72


def test_a_new_batch_is_looked_at_after_the_floor() -> None:
    assert poll_wait(0, 0, 0, FLOOR, CEILING, 0.0) == FLOOR


@given(CHANCE, CHANCE)
def test_chance_spreads_the_waits(one: float, other: float) -> None:
    waits = [poll_wait(2 * HOUR, 0, 100, FLOOR, CEILING, chance) for chance in sorted([one, other])]
    assert waits[0] >= waits[1] >= 324


def test_waits_for_another_try_double_up_to_the_ceiling() -> None:
    assert [retry_wait(at, 30, 600, 0.0) for at in range(8)] == [30, 30, 60, 120, 240, 480, 600, 600]
    assert retry_wait(10**9, 30, 600, 0.0) == 600
