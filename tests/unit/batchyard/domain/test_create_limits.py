"""No more creations in any hour than the provider allows, and none starved by those who came later."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.create_limits import (
    INTERVAL,
    LONG,
    MOST_NAMED,
    WAITS_FOR,
    Creations,
    is_waiting,
    one_more,
    with_waiting,
)
from batchyard.domain.numbers import HOUR

NOW, A, B = 1_790_000_000, "a", "b"


@given(st.lists(st.integers(0, 2 * HOUR), max_size=60), st.integers(1, 12))
def test_no_hour_has_more_creations_than_allowed(moments: list[int], most: int) -> None:
    made: list[int] = []
    seen = Creations()
    for moment in sorted(moments):
        counted = one_more(seen, most, A, 0, NOW + moment)
        if isinstance(counted, Creations):
            seen = counted
            made.append(moment)
    for moment in made:
        assert sum(1 for other in made if moment <= other < moment + HOUR) <= most


def test_who_is_turned_away_is_told_when_there_may_be_one_again() -> None:
    seen = one_more(Creations(), 1, A, 0, NOW)
    assert isinstance(seen, Creations)
    wait = one_more(seen, 1, A, 0, NOW + 60)
    assert isinstance(wait, int)
    assert HOUR - 60 <= wait <= HOUR + INTERVAL
    assert isinstance(one_more(seen, 1, A, 0, NOW + 60 + wait - 1), int)
    assert isinstance(one_more(seen, 1, A, 0, NOW + 60 + wait), Creations)


def test_the_last_tenth_is_for_those_who_have_waited_long() -> None:
    seen = Creations(counts={str(NOW // INTERVAL): {A: 90}})
    assert isinstance(one_more(seen, 100, A, NOW - LONG + 1, NOW), int)
    assert isinstance(one_more(seen, 100, A, NOW - LONG, NOW), Creations)


def test_pieces_that_are_over_are_forgotten() -> None:
    seen = Creations()
    for moment in range(NOW, NOW + 10 * HOUR, INTERVAL):
        counted = one_more(seen, 10_000, A, 0, moment)
        assert isinstance(counted, Creations)
        seen = counted
    assert len(seen.counts) <= HOUR // INTERVAL + 1


def created(seen: Creations, most: int, tenant: str, wanted: int, moment: int) -> tuple[Creations, int]:
    """Have a tenant create until it has `wanted` or is turned away, and then wait; answer how many it got."""
    for got in range(wanted):
        counted = one_more(seen, most, tenant, moment, moment)
        if isinstance(counted, int):
            return with_waiting(seen, tenant, moment), got
        seen = counted
    return seen, wanted


def test_a_tenant_alone_has_the_whole_hour_but_for_the_tenth() -> None:
    _, got = created(Creations(), 2_000, A, 5_000, NOW)
    assert got == 1_800


@pytest.mark.parametrize("most", [1, 2, 10, 2_000])
def test_a_tenant_that_took_all_leaves_the_other_its_share_as_the_hour_goes_on(most: int) -> None:
    """Play two tenants with endless work, of whom the greedy one looks first each time."""
    seen, of_b = created(Creations(), most, A, 10**6, NOW)[0], 0
    for moment in range(NOW, NOW + 4 * HOUR, INTERVAL):
        for tenant in (A, B):
            seen, got = created(seen, most, tenant, 10**6, moment)
            of_b += got if tenant == B and moment >= NOW + HOUR else 0
    assert of_b >= 3 * (most // 2) * 0.8


@pytest.mark.parametrize("idle", [0, 8, 30, 120])
def test_idle_tenants_cost_those_with_work_nothing_but_what_they_use(idle: int) -> None:
    """Play two tenants with endless work, and others that create one batch in fifty minutes each."""
    seen, got = Creations(), {A: 0, B: 0}
    for minute in range(0, 6 * 60, 5):
        moment = NOW + minute * 60
        for other in range(idle):
            if minute % 50 == other % 50:
                seen, _ = created(seen, 2_000, f"idle-{other}", 1, moment)
        for tenant in (A, B):
            seen, more = created(seen, 2_000, tenant, 10**6, moment)
            got[tenant] += more if minute >= 60 else 0
    assert min(got.values()) >= 5 * 2_000 * 0.35
    assert sum(got.values()) >= 5 * 2_000 * 0.75


def test_four_hundred_models_of_one_file_do_not_take_the_creations_of_another_tenant() -> None:
    seen, _ = created(Creations(), 400, A, 400, NOW)
    _, got = created(seen, 400, B, 20, NOW)
    assert got == 0, "the hour is full, and nobody knew of another"
    seen = with_waiting(seen, B, NOW)
    later = NOW + HOUR + INTERVAL
    seen, _ = created(seen, 400, A, 380, later - INTERVAL)
    _, got = created(with_waiting(seen, B, later), 400, B, 20, later)
    assert got == 20


def test_a_tenant_that_no_longer_looks_has_no_share() -> None:
    seen = with_waiting(Creations(), B, NOW)
    assert is_waiting(seen, B, NOW + 60)
    assert created(seen, 100, A, 1_000, NOW + WAITS_FOR - 1)[1] == 50
    assert created(seen, 100, A, 1_000, NOW + WAITS_FOR)[1] == 90


def test_the_record_stays_small_however_many_tenants_there_are() -> None:
    seen = Creations()
    for number in range(1_000):
        counted = one_more(with_waiting(seen, f"w{number}", NOW), 10**6, f"tenant-{number}" * 20, 0, NOW)
        assert isinstance(counted, Creations)
        seen = counted
    assert len(seen.counts[str(NOW // INTERVAL)]) <= MOST_NAMED + 1
    assert len(seen.waiting) <= MOST_NAMED + 1
    assert sum(seen.counts[str(NOW // INTERVAL)].values()) == 1_000
    assert 13 * len(msgspec.json.encode(seen.counts)) < 40_000, "a record of DynamoDB holds 400 KB"
