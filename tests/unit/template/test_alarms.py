"""Every alarm is shown to come: the metric data that a fault leaves is replayed as CloudWatch evaluates it."""

import importlib
import itertools
from collections.abc import Callable, Iterator

import pytest

from batchyard import services
from batchyard.domain.errors import StoreError
from batchyard.recovery.sweep import sweep
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import dropped, planned
from tests.fakes.services import MemoryServices
from tests.unit.functions.test_events import Context
from tests.unit.template.cloudwatch import Data, Metric, alarms_at, metric
from tests.unit.template.cloudwatch import emitted as taken_from
from tests.unit.template.documents import Json, resources, state_machine, template
from tests.unit.template.published import late

ALARMS = resources("AWS::CloudWatch::Alarm")
MINUTE, HOUR, DAY = 60, 3_600, 86_400
Points = list[tuple[Metric, float, float]]

DEAD_LETTERS = metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName="DeadLetters")
SERVER_ERRORS = metric("AWS/ApiGateway", "5xx", ApiId="HttpApi")
OPEN_EXECUTIONS = metric("AWS/States", "OpenExecutionCount")
HELD_BACK = metric("AWS/States", "ExecutionThrottled", StateMachineArn="ShardStateMachine")
TIMED_OUT = metric("AWS/States", "ExecutionsTimedOut", StateMachineArn="BatchStateMachine")


def errors_of(function: str) -> Metric:
    return metric("AWS/Lambda", "Errors", FunctionName=function)


def tries(error: str) -> Iterator[float]:
    """Yield the second of each try of a step that goes on failing with this error, after the longest waits there may be."""
    (retrier,) = [
        each for each in state_machine("webhook")["States"]["GiveUp"]["Retry"] if error in each["ErrorEquals"]
    ]
    second = 0.0
    yield second
    for at in range(retrier["MaxAttempts"]):
        second += min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** at, retrier["MaxDelaySeconds"])
        yield second


# What a fault leaves, by alarm; SQS and API Gateway tell every minute.
FAULTS: dict[str, Points] = {
    "DeadLettersAlarm": [(DEAD_LETTERS, second, 1) for second in range(7 * MINUTE, HOUR, MINUTE)],
    "ApiErrorsAlarm": [(SERVER_ERRORS, second, int(second == 7 * MINUTE)) for second in range(0, HOUR, MINUTE)],
    "BatchesTimedOutAlarm": [(TIMED_OUT, 7 * MINUTE, 1)],
    "StepErrorsAlarm": [(errors_of("CollectFunction"), second, 1) for second in tries(StoreError.__name__)],
    "OpenExecutionsAlarm": [(OPEN_EXECUTIONS, second, 600_000) for second in range(7 * MINUTE, HOUR, MINUTE)],
    "ThrottledAlarm": [(HELD_BACK, second, 3) for second in range(7 * MINUTE, HOUR, MINUTE)],
    "GivenUpAlarm": [(metric("Batchyard", "GivenUp", service="AWS::StackName"), 7 * MINUTE, 1)],
    "SetApartAlarm": [(metric("Batchyard", "SetApart", service="AWS::StackName"), 7 * MINUTE, 1)],
    "ResultsAtRiskAlarm": [
        (metric("Batchyard", "ResultsAtRisk", service="AWS::StackName"), second, 1)
        for second in range(7 * MINUTE, 3 * HOUR, 10 * MINUTE)
    ],
}
each_alarm = pytest.mark.parametrize("name", ALARMS)


@each_alarm
def test_the_fault_that_an_alarm_is_for_sets_it_off_within_half_an_hour_and_its_end_ends_it(name: str) -> None:
    points = FAULTS[name]  # a new alarm needs a fault here
    came, ended = (
        min(second for _, second, value in points if value),
        max(second for _, second, value in points if value),
    )
    alarmed = alarms_at(ALARMS[name], Data(points), ended + HOUR)
    assert alarmed
    assert alarmed[0] - came <= HOUR / 2
    assert alarmed[-1] < ended + HOUR


@each_alarm
@pytest.mark.parametrize("other", FAULTS)
def test_an_alarm_tells_of_its_own_fault_alone(name: str, other: str) -> None:
    assert bool(alarms_at(ALARMS[name], Data(FAULTS[other]), DAY)) is (name == other)


@each_alarm
def test_an_alarm_is_silent_where_nothing_runs_and_where_all_is_well(name: str) -> None:
    well = [(each, second, 0.0) for points in FAULTS.values() for each, second, _ in points]
    assert alarms_at(ALARMS[name], Data(), HOUR) == alarms_at(ALARMS[name], Data(well), HOUR) == []


@pytest.mark.parametrize("failures", [1, 4])
def test_a_step_that_recovers_by_its_retries_is_no_alarm(failures: int) -> None:
    seconds = itertools.islice(tries(StoreError.__name__), failures)
    assert alarms_at(ALARMS["StepErrorsAlarm"], Data((errors_of("PollFunction"), at, 1) for at in seconds), DAY) == []


def test_a_step_that_gives_up_before_the_alarm_on_its_errors_could_come_is_told_by_the_one_on_what_was_given_up() -> (
    None
):
    seconds = list(tries("States.ALL"))
    assert seconds[-1] < 5 * MINUTE
    assert alarms_at(ALARMS["StepErrorsAlarm"], Data((errors_of("SubmitFunction"), at, 1) for at in seconds), DAY) == []


def fail(made: MemoryServices, event: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "current", lambda: made)
    importlib.import_module("functions.fail.handler").handler({"batch_id": BATCH_ID, **event}, Context())


def given_up_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(
        planned(),
        {"shard": 0, "execution": BATCH_ID, "run": 1, "error": {"Error": "StoreError", "Cause": "no"}},
        monkeypatch,
    )


def failed_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(dropped(), {"error": {"Error": "States.DataLimitExceeded", "Cause": "no"}}, monkeypatch)


def given_up_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(planned(), {"error": {"Error": "States.Runtime", "Cause": "no"}}, monkeypatch)


def swept(made: MemoryServices) -> MemoryServices:
    """Let the sweep find a batch that is under way and whose execution ran out of time."""
    made.executions.start(BATCH_ID, {})
    made.executions.statuses[BATCH_ID] = "TIMED_OUT"
    assert sweep(made)["BatchesGivenUp"] == 1
    return made


def given_up_by_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - as the others
    swept(planned())


@pytest.mark.parametrize("fault", [given_up_shard, failed_batch, given_up_batch, given_up_by_the_sweep])
def test_what_is_given_up_is_published_by_whoever_gives_it_up_and_sets_the_alarm_off(
    fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_by_the_template = template()["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", set_by_the_template["Ref"])
    fault(monkeypatch)
    points = list(taken_from(capsys.readouterr().out, 7 * MINUTE))
    assert FAULTS["GivenUpAlarm"][0] in points
    assert alarms_at(ALARMS["GivenUpAlarm"], Data(points), HOUR) == [10 * MINUTE]


def test_a_batch_that_fails_without_results_after_it_was_drained_sets_the_alarm_off_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = swept(planned())
    capsys.readouterr()
    made.wait(3 * DAY)
    assert sweep(made)["BatchesFailed"] == 1
    assert '"GivenUp":[1.0]' in capsys.readouterr().out.replace(" ", "")


def test_what_the_sweep_cannot_read_sets_the_alarm_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "AWS::StackName")
    made = MemoryServices()
    made.sweep_store.bookmarks["inbox"] = {"rest_until": "soon"}
    assert sweep(made) == {"SetApart": 1}
    points = list(taken_from(capsys.readouterr().out, 7 * MINUTE))
    assert FAULTS["SetApartAlarm"][0] in points
    assert alarms_at(ALARMS["SetApartAlarm"], Data(points), HOUR) == [10 * MINUTE]


def test_answers_that_wait_for_a_large_part_of_their_life_set_the_alarm_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "AWS::StackName")
    late()
    points = list(taken_from(capsys.readouterr().out, 7 * MINUTE))
    assert FAULTS["ResultsAtRiskAlarm"][0] in points
    assert alarms_at(ALARMS["ResultsAtRiskAlarm"], Data(points), HOUR)[0] <= 15 * MINUTE
