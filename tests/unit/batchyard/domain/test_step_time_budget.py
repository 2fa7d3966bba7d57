import pytest

from batchyard.domain.step import TIME_TO_END, OutOfTime, TimeBudget


def test_a_budget_that_is_not_low_lets_the_work_go_on() -> None:
    for budget in (TimeBudget(lambda: TIME_TO_END), TimeBudget()):
        assert not budget.low
        budget.check()


def test_a_budget_is_low_when_a_checkpoint_is_all_there_is_time_for() -> None:
    budget = TimeBudget(lambda: TIME_TO_END - 0.1)
    assert budget.low
    with pytest.raises(OutOfTime):
        budget.check()
