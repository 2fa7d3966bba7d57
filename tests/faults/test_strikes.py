"""A test whose strikes strike nothing fails: what the other tests of this suite stand on."""

from contextlib import suppress

import pytest

from tests.faults.strikes import TOLD, Killed, Strike, Strikes, missed, some


def strike_two_effects(strike: Strike) -> None:
    strikes = Strikes(strike)
    with suppress(Killed):
        for _ in range(2):
            strikes.around("put", list)()


def test_a_strike_that_comes_later_than_the_last_effect_is_missed() -> None:
    late, struck = Strike("kill", 2), Strike("kill", 1)
    strike_two_effects(struck)
    strike_two_effects(late)
    assert missed() == [late]
    TOLD.remove(late)


def test_a_strike_at_random_may_be_late_but_not_all_of_them() -> None:
    late, struck = Strike("kill", 2, sure=False), Strike("kill", 1, sure=False)
    strike_two_effects(late)
    assert missed() == [late]
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
