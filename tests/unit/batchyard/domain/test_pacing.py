"""Waits that neither miss the end by much nor wear out the state machine, whatever a provider's counts do."""

import itertools
import math
import random
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.pacing import SOON, Seen, poll_wait, remembered, retry_wait
from tests.fakes.services import DEFAULTS

FLOOR, CEILING = DEFAULTS["poll_floor_seconds"], DEFAULTS["poll_ceiling_seconds"]
EVENTS_A_TURN, MOST_EVENTS = 9, 20_000
TRANSITIONS_A_TURN, OTHER_TRANSITIONS = 3, 16
MINUTE, HOUR, DAY = 60, 3_600, 86_400
LENGTHS = [70, 200, 700, 1_500, 4_000, 12_000, 40_000, DAY, 2 * DAY, 7 * DAY]
CHANCE = st.floats(0, 1, exclude_max=True)
Shape = Callable[[float], float]


class Watch(NamedTuple):
    """How a simulated batch was watched: looks it took, and seconds from its end to the look that saw it."""

    looks: int
    late: float


def watch(shape: Shape, length: float, total: int, chance: Callable[[], float], ceiling: int = CEILING) -> Watch:
    """Seen until the end at a batch that is finished to the part `shape` of its lines at each part of its length."""
    age, before, looks = min(FLOOR, ceiling), Seen(0), 1
    while age < length:
        now = Seen(age, int(total * shape(age / length)))
        age += poll_wait(now, before, total, min(FLOOR, ceiling), ceiling, chance())
        before, looks = remembered(now, before), looks + 1
    return Watch(looks, age - length)


def noise(seed: int) -> Shape:
    """Make a pace that is redrawn 400 times, between a fifth of the usual one and nearly twice it."""
    paces, done = random.Random(seed), [0.0]  # noqa: S311 - no secret
    for _ in range(400):
        done.append(done[-1] + paces.uniform(0.2, 1.8))
    return lambda part: done[min(400, int(part * 400))] / done[-1]


STEADY: dict[str, Shape] = {
    "steady": lambda part: part,
    "steady after a quarter of an hour of validation": lambda part: max(0.0, part - 0.01) / 0.99,
    "noisy": noise(1),
    "as noisy": noise(2),
    "noisier at the end": lambda part: noise(3)(part) if part > 0.5 else part,
}
SHAPES: dict[str, Shape] = {
    **STEADY,
    "no counts": lambda _: 0.0,
    "slow start": lambda part: max(0.0, part - 0.1) / 0.9,
    "queued nearly all the time": lambda part: max(0.0, part - 0.9) * 10,
    "faster and faster": lambda part: part * part,
    "slower and slower": math.sqrt,
    "slow, fast, slow": lambda part: 1 / (1 + math.exp(-10 * (part - 0.5))),
    "in bursts": lambda part: math.floor(24 * part) / 24,
    "in few bursts": lambda part: math.floor(6 * part) / 6,
    "stuck in the middle, then a jump": lambda part: min(part, 0.4),
    "stuck at a tenth, then a jump": lambda part: min(part, 0.1),
    "one last request hangs": lambda part: min(2 * part, 0.99999),
    "ends at one blow when half is done": lambda part: part / 2,
    "ends at one blow when 80 % are done": lambda part: part * 0.8,
}
SUDDEN = {"at a tenth": 0.1, "at a quarter": 0.25, "at a third": 1 / 3}
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
TOTALS = [100, 1_000, 50_000]
each_total = pytest.mark.parametrize("total", TOTALS)


def chances(seed: int) -> Callable[[], float]:
    return random.Random(seed).random  # noqa: S311 - no secret


@each_shape
def test_an_end_is_noticed_within_a_twentieth_of_the_time_or_a_minute(shape: Shape) -> None:
    for length, total, seed in itertools.product(LENGTHS, TOTALS, range(5)):
        late = watch(shape, length, total, chances(seed)).late
        assert late <= max(0.05 * length, MINUTE), (length, total, seed)


@pytest.mark.parametrize("part", SUDDEN.values(), ids=SUDDEN)
def test_a_steady_batch_that_is_finished_at_one_blow_while_its_end_was_far_is_noticed_within_a_third_and_the_ceiling(
    part: float,
) -> None:
    for length in LENGTHS:
        late = watch(lambda at: at * part, length, 50_000, chances(1)).late
        assert late <= max(min(length / 3, CEILING), MINUTE), length


@pytest.mark.parametrize("shape", STEADY.values(), ids=STEADY)
@each_total
def test_a_day_of_steady_progress_takes_sixty_looks_and_two_hundred_transitions_at_most(
    shape: Shape, total: int
) -> None:
    most = (
        60 if total > 100 or shape is STEADY["steady"] else 72
    )  # 100 lines a day say nothing for a quarter of an hour
    for seed in range(20):
        looks = watch(shape, DAY, total, chances(seed)).looks
        assert looks <= most
        assert looks * TRANSITIONS_A_TURN + OTHER_TRANSITIONS <= 200 + (most - 60) * TRANSITIONS_A_TURN


@each_shape
@each_total
def test_a_day_takes_no_more_looks_than_without_any_counts(shape: Shape, total: int) -> None:
    assert watch(shape, DAY, total, chances(3)).looks <= 125


def test_a_steady_end_is_noticed_within_two_parts_in_a_hundred() -> None:
    assert max(watch(STEADY["steady"], DAY, 50_000, chances(seed)).late for seed in range(20)) < 0.02 * DAY


@each_shape
def test_seven_days_of_looks_fit_one_history_however_low_the_ceiling_is_set(shape: Shape) -> None:
    for ceiling, chance in itertools.product([1, 30, 300, 600, CEILING, DAY], [0.0, 0.999]):
        looks = watch(shape, 7 * DAY, 50_000, lambda: chance, ceiling).looks  # noqa: B023 - called in this turn
        assert looks * EVENTS_A_TURN < MOST_EVENTS, (ceiling, chance)


@given(st.floats(-DAY, 30 * DAY), st.integers(0, 50_000), st.floats(-DAY, 30 * DAY), st.integers(0, 50_000), CHANCE)
def test_a_wait_is_between_the_floor_and_the_ceiling_less_its_spread(
    age: float, finished: int, age_before: float, finished_before: int, chance: float
) -> None:
    wait = poll_wait(Seen(age, finished), Seen(age_before, finished_before), 50_000, FLOOR, CEILING, chance)
    assert FLOOR * 0.9 <= wait <= CEILING
    assert wait <= max(FLOOR, SOON, age / 3 + 1)


@given(st.floats(0, 30 * DAY), st.integers(0, 50_000), CHANCE)
def test_a_wait_is_at_least_a_second_even_without_a_floor(age: float, finished: int, chance: float) -> None:
    assert poll_wait(Seen(age, finished), Seen(0), 50_000, 0, CEILING, chance) >= 1
    assert retry_wait(finished, 0, CEILING, chance) >= 1


def test_a_wait_without_progress_is_a_twentieth_of_the_time_gone() -> None:
    assert poll_wait(Seen(2 * HOUR), Seen(HOUR), 100, FLOOR, CEILING, 0.0) == 360
    assert poll_wait(Seen(2 * HOUR, 50), Seen(HOUR, 50), 100, FLOOR, CEILING, 0.0) == 360


def test_an_end_that_is_near_is_waited_for_until_it_should_be_over() -> None:
    now, before = Seen(2 * HOUR, 97), Seen(1.9 * HOUR, 93)
    assert poll_wait(now, before, 100, FLOOR, CEILING, 0.0) == round(2 * HOUR * 3 / 97 + 72)


def test_an_end_that_is_far_away_is_looked_for_more_rarely() -> None:
    assert poll_wait(Seen(HOUR, 10), Seen(0.9 * HOUR, 9), 1_000, FLOOR, CEILING, 0.0) == HOUR // 3


def test_a_new_batch_is_looked_at_after_the_floor() -> None:
    assert poll_wait(Seen(0), Seen(0), 0, FLOOR, CEILING, 0.0) == FLOOR


@given(CHANCE, CHANCE)
def test_chance_spreads_the_waits(one: float, other: float) -> None:
    waits = [poll_wait(Seen(2 * HOUR), Seen(HOUR), 100, FLOOR, CEILING, chance) for chance in sorted([one, other])]
    assert waits[0] >= waits[1] >= 324


def test_waits_for_another_try_double_up_to_the_ceiling() -> None:
    assert [retry_wait(at, 30, 600, 0.0) for at in range(8)] == [30, 30, 60, 120, 240, 480, 600, 600]
    assert retry_wait(10**9, 30, 600, 0.0) == 600
