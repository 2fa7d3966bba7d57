"""No more creations in any hour than the provider allows, and none starved by those who came later."""

from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.create_limits import INTERVAL, LONG, Creations, one_more
from batchyard.domain.durations import HOUR

NOW = 1_790_000_000


@given(st.lists(st.integers(0, 2 * HOUR), max_size=60), st.integers(1, 12))
def test_no_hour_has_more_creations_than_allowed(moments: list[int], most: int) -> None:
    made: list[int] = []
    seen = Creations()
    for moment in sorted(moments):
        counted = one_more(seen, most, 0, NOW + moment)
        if isinstance(counted, Creations):
            seen = counted
            made.append(moment)
    for moment in made:
        assert sum(1 for other in made if moment <= other < moment + HOUR) <= most


def test_who_is_turned_away_is_told_when_there_may_be_one_again() -> None:
    seen = one_more(Creations(), 1, 0, NOW)
    assert isinstance(seen, Creations)
    wait = one_more(seen, 1, 0, NOW + 60)
    assert isinstance(wait, int)
    assert HOUR - 60 <= wait <= HOUR + INTERVAL
    assert isinstance(one_more(seen, 1, 0, NOW + 60 + wait - 1), int)
    assert isinstance(one_more(seen, 1, 0, NOW + 60 + wait), Creations)


def test_the_last_tenth_is_for_those_who_have_waited_long() -> None:
    seen = Creations(counts={str(NOW // INTERVAL): 90})
    assert isinstance(one_more(seen, 100, NOW - LONG + 1, NOW), int)
    assert isinstance(one_more(seen, 100, NOW - LONG, NOW), Creations)


def test_pieces_that_are_over_are_forgotten() -> None:
    seen = Creations()
    for moment in range(NOW, NOW + 10 * HOUR, INTERVAL):
        counted = one_more(seen, 10_000, 0, moment)
        assert isinstance(counted, Creations)
        seen = counted
    assert len(seen.counts) <= HOUR // INTERVAL + 1
