"""That ids differ is believed only where their order proves it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.planning.ascending_ids import LONGEST_KEPT, MOST_SEQUENCES, AscendingIds

IDS = st.lists(st.text("ab", min_size=1, max_size=3), max_size=12)


def pieces(custom_ids: list[str], at_a_time: int) -> list[list[str]]:
    return [custom_ids[at : at + at_a_time] for at in range(0, len(custom_ids), at_a_time)]


def taken(*given: list[str]) -> AscendingIds:
    ascending = AscendingIds()
    assert all(ascending.take(piece) for piece in given)
    return ascending


@given(IDS | IDS.map(sorted) | st.lists(st.text(max_size=4), unique=True), st.integers(1, 5))
def test_ids_that_are_told_to_differ_do(custom_ids: list[str], at_a_time: int) -> None:
    assert not taken(*pieces(custom_ids, at_a_time)).differ() or len(set(custom_ids)) == len(custom_ids)


@pytest.mark.parametrize(
    "custom_ids",
    [
        [f"request-{at}" for at in range(12_000)],
        [f"task-{at:08}" for at in range(500)],
        [f"{name}-{at}" for name in ("train", "test", "held out") for at in range(1_200)],
        [f"{at:05}" for start in range(2_900, -1, -100) for at in range(start, start + 100)],
        ["a"],
        [],
    ],
    ids=["counted", "padded", "grouped", "groups in another order", "one", "none"],
)
@pytest.mark.parametrize("at_a_time", [1, 200, 20_000])
def test_counters_of_any_form_are_told_to_differ(custom_ids: list[str], at_a_time: int) -> None:
    assert taken(*pieces(custom_ids, at_a_time)).differ()


@pytest.mark.parametrize("again", [0, 1, 49, 98, 99])
def test_one_that_comes_again_in_a_later_sequence_is_not_told_to_differ(again: int) -> None:
    custom_ids = [f"r{at:02}" for at in range(100)]
    assert not taken(custom_ids, [custom_ids[again]]).differ()
    assert not taken([*custom_ids, custom_ids[again]]).differ()


def test_ids_in_any_order_are_refused_soon() -> None:
    assert not AscendingIds().take([f"{at * 7_919 % 1_009}" for at in range(1_000)])
    falling = [f"{at:06}" for at in range(2 * MOST_SEQUENCES, 0, -1)]
    assert taken(falling[:MOST_SEQUENCES]).differ()
    assert not AscendingIds().take(falling)


@pytest.mark.parametrize(("length", "kept"), [(LONGEST_KEPT, True), (LONGEST_KEPT + 1, False)])
def test_a_long_id_is_not_kept(length: int, kept: bool) -> None:
    assert AscendingIds().take(["a", "b" * length]) is kept
