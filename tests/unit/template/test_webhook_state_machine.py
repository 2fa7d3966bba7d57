"""The state machine of webhooks as written: it tries for 72 hours, and says so when it gives up."""

import pytest

from batchyard.domain.errors import DeliveryFailed
from tests.unit.template.documents import Json, functions, references, resources, state_machine, template
from tests.unit.template.test_state_machine import RETRY, targets

HOUR = 3_600
MACHINE: Json = state_machine("webhook")
STATES: Json = MACHINE["States"]
TASKS = [name for name, body in STATES.items() if body["Type"] == "Task"]
each_task = pytest.mark.parametrize("name", TASKS)


def waits(retry: Json) -> list[float]:
    """Return the seconds before each retry, as Step Functions counts them where nothing is left to chance."""
    grown = [retry["IntervalSeconds"] * retry["BackoffRate"] ** at for at in range(retry["MaxAttempts"])]
    return [min(wait, retry["MaxDelaySeconds"]) for wait in grown]


def delivery_retry() -> Json:
    (retry,) = [each for each in STATES["Deliver"]["Retry"] if DeliveryFailed.__name__ in each["ErrorEquals"]]
    return retry


def test_a_delivery_is_tried_for_72_hours() -> None:
    assert "JitterStrategy" not in delivery_retry()  # chance would halve it
    assert 72 * HOUR <= sum(waits(delivery_retry())) < 73 * HOUR


def test_an_endpoint_that_was_away_for_a_moment_is_told_within_seconds_and_one_that_was_down_within_hours() -> None:
    assert waits(delivery_retry())[0] == 5
    assert max(waits(delivery_retry())) <= 4 * HOUR


def test_every_attempt_has_its_time_and_a_little_more_before_the_whole_ends() -> None:
    each = STATES["Deliver"]["TimeoutSeconds"]
    assert MACHINE["TimeoutSeconds"] > sum(waits(delivery_retry())) + each * (len(waits(delivery_retry())) + 1)


def test_what_is_so_slow_that_the_function_runs_out_of_time_is_tried_as_long_as_what_refuses() -> None:
    # a function that ran out of time is `Sandbox.Timedout`, or `Lambda.Unknown` where Lambda does not say why it ended:
    # https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
    named = {"DeliveryFailed", "Lambda.Unknown", "Sandbox.Timedout", "States.Timeout"}
    assert set(delivery_retry()["ErrorEquals"]) == named


def test_trouble_of_ours_is_tried_again_as_it_is_for_a_batch() -> None:
    assert STATES["Deliver"]["Retry"] == [delivery_retry(), *RETRY]
    assert STATES["GiveUp"]["Retry"] == RETRY
    assert set(TASKS) == {"Deliver", "GiveUp"}


@each_task
def test_a_task_is_given_longer_than_its_function(name: str) -> None:
    function = STATES[name]["Parameters"]["FunctionName"].strip("${}")
    timeout = functions()[function].get("Timeout", template()["Globals"]["Function"]["Timeout"])
    assert timeout < STATES[name]["TimeoutSeconds"] <= timeout + 30


def test_every_state_is_reachable_and_every_next_exists() -> None:
    seen: set[str] = set()
    waiting = [MACHINE["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += targets(STATES[name])  # a dangling Next is a KeyError here
    assert seen == set(STATES)


def test_whatever_goes_wrong_is_recorded_and_then_fails() -> None:
    assert [catch["Next"] for catch in STATES["Deliver"]["Catch"]] == ["GiveUp"] * 2
    assert {catch["ResultPath"] for catch in STATES["Deliver"]["Catch"]} == {"$.error"}  # by which the function knows
    assert {*targets(STATES["GiveUp"])} == {"Undelivered"}
    assert STATES["Undelivered"]["Type"] == "Fail"
    for name in TASKS:
        assert [catch["ErrorEquals"] for catch in STATES[name]["Catch"]] == [
            ["States.DataLimitExceeded"],
            ["States.ALL"],
        ]
        assert STATES[name]["ResultPath"] is None  # the order goes on as it came


def test_the_template_substitutes_and_the_role_invokes_the_one_function_that_the_definition_names() -> None:
    machine = resources("AWS::Serverless::StateMachine")["WebhookStateMachine"]
    assert set(machine["DefinitionSubstitutions"]) == {"DeliverFunction", "LambdaInvoke"}
    assert {STATES[name]["Parameters"]["FunctionName"] for name in TASKS} == {"${DeliverFunction}"}
    (policy,) = resources("AWS::IAM::Role")["WebhookStateMachineRole"]["Policies"]
    invoked = [each for each in policy["PolicyDocument"]["Statement"] if each["Action"] == "lambda:InvokeFunction"]
    assert [references(each["Resource"]) for each in invoked] == [{"DeliverFunction"}]
