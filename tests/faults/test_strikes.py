"""A test whose strikes strike nothing fails: what the other tests of this suite stand on."""

from contextlib import suppress

import pytest

from tests.faults.strikes import TOLD, Killed, Strike, Strikes, missed, some


def strike_two_effects(strike: Strike) -> None:
    strikes = Strikes(strike)
    with suppress(Killed):
        for _ in range(2):
            strikes.around("put", list)()


def test_strikes_that_come_later_than_the_last_effect_are_missed_if_there_are_no_others() -> None:
    late = [Strike("kill", 2), Strike("fail", 3)]
    for each in late:
        strike_two_effects(each)
    assert missed() == late
    TOLD.clear()


def test_strikes_may_go_on_past_the_last_effect_but_miss_none_before() -> None:
    for at in range(4):
        strike_two_effects(Strike("kill", at))
    assert missed() == []
    earlier = Strike("kill", 0)
    Strikes(earlier)  # and nothing has an effect
    assert missed() == [earlier]
    TOLD.remove(earlier)


def test_a_kind_that_never_strikes_is_missed_though_another_does() -> None:
    strike_two_effects(Strike("kill", 1))
    late = [Strike("fail", at) for at in (50, 60)] + [Strike("kill", 70, after=True)]
    for each in late:
        strike_two_effects(each)
    assert missed() == late
    TOLD.clear()


def test_a_strike_at_random_may_come_to_nothing_but_not_all_of_them() -> None:
    idle, struck = Strike("kill", 0, sure=False), Strike("kill", 1, sure=False)
    Strikes(idle)
    assert missed() == [idle]
    strike_two_effects(struck)
    assert missed() == []


@pytest.mark.parametrize("after", [False, True])
def test_an_effect_that_is_refused_is_struck_too(after: bool) -> None:
    strikes = Strikes(Strike("kill", 0, after))
    with pytest.raises(Killed):
        strikes.around("get", {}.__getitem__)("not there")
    assert strikes.struck == [f"kill {'after' if after else 'before'} get"]


def test_where_there_is_no_effect_none_can_be_struck() -> None:
    with pytest.raises(AssertionError, match="none of 0 effects"):
        some(range(0), "kill", after=False)
