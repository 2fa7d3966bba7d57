"""The state machine as written: nothing dangles, nothing is unbounded, and every error is recorded before it fails."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

import pytest

from batchyard.domain import object_keys
from batchyard.domain.batch import BatchNext
from batchyard.domain.errors import StaleRecord, StoreError
from batchyard.shards.continue_as_new import MOST_BUSY_TURNS
from tests.unit.template.documents import Json, functions, listed, references, resources, state_machine, template, walk

LAMBDA_TROUBLE = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
]
# Lambda names an error after its class.
RETRYABLE = [each.__name__ for each in (StoreError, StaleRecord)]
HISTORY_EVENTS = 25_000  # the most a Standard execution may have
EVENTS_OF = {"Task": 5, "Wait": 2, "Choice": 2}


class State(NamedTuple):
    """A state with the states it may go to: a Distributed Map's own states cannot be reached from outside."""

    name: str
    body: Json
    siblings: Json


def states(machine: Json) -> Iterator[State]:
    for name, body in machine["States"].items():
        yield State(name, body, machine["States"])
        if "ItemProcessor" in body:
            yield from states(body["ItemProcessor"])


def machines(machine: Json) -> Iterator[Json]:
    yield machine
    for body in machine["States"].values():
        if "ItemProcessor" in body:
            yield from machines(body["ItemProcessor"])


def targets(body: Json) -> Iterator[str]:
    for item in (body, *body.get("Catch", ()), *body.get("Choices", ())):
        if "Next" in item:
            yield item["Next"]
    if "Default" in body:
        yield body["Default"]


STATES = list(states(state_machine()))
TASKS = [state for state in STATES if state.body["Type"] == "Task"]
RETRY: Json = TASKS[0].body["Retry"]  # of every task, in both state machines
WORKERS = [state for state in STATES if "Catch" in state.body]
each_task = pytest.mark.parametrize("state", TASKS, ids=lambda state: state.name)
each_worker = pytest.mark.parametrize("state", WORKERS, ids=lambda state: state.name)


def records_failures(state: State) -> bool:
    return bool(state.body.get("Parameters", {}).get("FunctionName") == "${FailFunction}")


def lookup(name: str, siblings: Json) -> State:
    return State(name, siblings[name], siblings)


def test_every_state_is_reachable_and_every_next_exists() -> None:
    for machine in machines(state_machine()):
        seen: set[str] = set()
        waiting = [machine["StartAt"]]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += targets(machine["States"][name])  # a dangling Next is a KeyError here
        assert seen == set(machine["States"])


def test_state_names_are_unique_across_the_whole_machine() -> None:
    assert len({state.name for state in STATES}) == len(STATES)


def test_only_a_succeed_or_a_fail_ends_an_execution() -> None:
    for state in STATES:
        ends = state.body["Type"] in {"Succeed", "Fail"}
        assert ends is not any(targets(state.body)), state.name
        assert "End" not in state.body, state.name


@each_task
def test_a_task_is_given_longer_than_its_function_so_that_the_function_is_what_times_out(state: State) -> None:
    name = state.body["Parameters"]["FunctionName"].strip("${}")
    default = template()["Globals"]["Function"]["Timeout"]
    timeout = functions()[name].get("Timeout", default)
    assert timeout < state.body["TimeoutSeconds"] <= timeout + 30


@each_task
def test_every_task_has_the_same_retries(state: State) -> None:
    assert state.body["Retry"] == RETRY


def test_the_retries_have_jitter_and_bounds() -> None:
    trouble, anything = RETRY
    assert trouble["ErrorEquals"] == LAMBDA_TROUBLE + RETRYABLE
    assert anything["ErrorEquals"] == ["States.ALL"]
    for retry, longest, most in ((trouble, 600, 30), (anything, 120, 3)):
        assert retry["JitterStrategy"] == "FULL"
        assert retry["IntervalSeconds"] < retry["MaxDelaySeconds"] <= longest
        assert 3 <= retry["MaxAttempts"] <= most


def test_trouble_of_lambda_itself_and_of_the_stores_is_outlived_by_hours() -> None:
    trouble, _ = RETRY
    delays = (trouble["IntervalSeconds"] * trouble["BackoffRate"] ** at for at in range(trouble["MaxAttempts"]))
    longest = sum(min(delay, trouble["MaxDelaySeconds"]) for delay in delays)
    assert longest / 2 > 3_600  # full jitter takes half on average


@each_worker
def test_a_worker_catches_everything_that_can_be_caught(state: State) -> None:
    assert [catch["ErrorEquals"] for catch in state.body["Catch"]] == [["States.DataLimitExceeded"], ["States.ALL"]]


def test_every_task_and_every_map_is_a_worker() -> None:
    assert {state.name for state in STATES if state.body["Type"] in {"Task", "Map", "Parallel"}} == {
        state.name for state in WORKERS
    }


@each_worker
def test_an_error_is_recorded_and_then_fails(state: State) -> None:
    for catch in state.body["Catch"]:
        if records_failures(state):
            assert lookup(catch["Next"], state.siblings).body["Type"] == "Fail"
        else:
            assert catch["ResultPath"] == "$.error"
            assert_recorded(lookup(catch["Next"], state.siblings))


def test_an_answer_that_a_choice_does_not_know_is_recorded_and_then_fails() -> None:
    choices = [state for state in STATES if state.body["Type"] == "Choice"]
    assert choices
    for state in choices:
        unexpected = lookup(state.body["Default"], state.siblings)
        assert set(unexpected.body["Result"]) == {"Error", "Cause"}
        assert unexpected.body["ResultPath"] == "$.error"
        assert_recorded(lookup(unexpected.body["Next"], state.siblings))


def assert_recorded(state: State) -> None:
    assert records_failures(state)
    assert state.body["ResultPath"] is None  # keeps the error for the Fail behind it
    assert lookup(state.body["Next"], state.siblings).body["Type"] == "Fail"


def test_a_fail_tells_the_error_even_when_the_error_has_no_cause() -> None:
    for state in STATES:
        if state.body["Type"] == "Fail" and "ErrorPath" in state.body:
            assert state.body["CausePath"] == "States.JsonToString($.error)"


def test_payload_keys_say_whether_their_value_is_a_path() -> None:
    for state in STATES:
        for field in ("Parameters", "ItemSelector", "ResultSelector"):
            for item in walk(state.body.get(field, {})):
                for key, value in item.items():
                    is_path = f"{value}.".startswith(("$.", "$$.", "States."))
                    assert key.endswith(".$") is is_path, (state.name, key)


def test_a_choice_looks_at_nothing_but_next() -> None:
    for state in STATES:
        for choice in state.body.get("Choices", ()):
            assert set(choice) == {"Variable", "StringEquals", "Next"}
            assert choice["Variable"] == "$.next"


def test_the_batch_s_choices_know_every_word_that_plan_and_assemble_answer() -> None:
    choices = [choice for body in state_machine()["States"].values() for choice in body.get("Choices", ())]
    assert {choice["StringEquals"] for choice in choices} == set(BatchNext)


def test_a_failing_shard_never_fails_its_siblings() -> None:
    shards = state_machine()["States"]["Shards"]
    assert shards["ToleratedFailurePercentage"] == 100
    assert shards["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


def test_shards_hand_nothing_back_so_that_their_number_is_not_limited_by_the_size_of_a_payload() -> None:
    shards = state_machine()["States"]["Shards"]
    ends = [body for body in shards["ItemProcessor"]["States"].values() if body["Type"] == "Succeed"]
    assert [end["OutputPath"] for end in ends] == [None]
    assert shards["ResultPath"] is None


def test_an_execution_hands_its_shard_over_long_before_its_history_is_full() -> None:
    inner = state_machine()["States"]["Shards"]["ItemProcessor"]["States"]
    turn, name = 0, "Poll"
    for _ in range(3):  # Poll, Wait, and the choice that leads to Poll again
        turn += EVENTS_OF[inner[name]["Type"]]
        name = inner[name].get("Next", "Poll")
    assert name == "Poll"
    assert turn * MOST_BUSY_TURNS < 20_000 < HISTORY_EVENTS  # the rest is for retries


def test_the_template_substitutes_exactly_the_functions_that_the_definition_names() -> None:
    machine = resources("AWS::Serverless::StateMachine")["BatchStateMachine"]
    named = {task.body["Parameters"]["FunctionName"] for task in TASKS}
    assert {f"${{{name}}}" for name in machine["DefinitionSubstitutions"]} == named
    for name, value in machine["DefinitionSubstitutions"].items():
        assert references(value) == {name}


def test_the_role_may_invoke_exactly_those_functions_and_start_its_own_shards() -> None:
    role = resources("AWS::IAM::Role")["BatchStateMachineRole"]
    (own,) = resources("AWS::IAM::Policy").values()
    statements = [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]
    invoked = [references(item["Resource"]) for item in statements if item["Action"] == "lambda:InvokeFunction"]
    assert {f"${{{name}}}" for names in invoked for name in names} == {
        task.body["Parameters"]["FunctionName"] for task in TASKS
    }
    label = state_machine()["States"]["Shards"]["Label"]
    executions = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${BatchStateMachine.Name}"
    given = {
        action: [item["Resource"] for item in own["PolicyDocument"]["Statement"] if action in listed(item["Action"])]
        for item in own["PolicyDocument"]["Statement"]
        for action in listed(item["Action"])
    }
    of_map_runs, of_shards = {"Fn::Sub": f"{executions}:*"}, {"Fn::Sub": f"{executions}/{label}:*"}
    # Source: "IAM policies for using Distributed Map states" of the developer guide
    assert given == {
        "states:StartExecution": [{"Ref": "BatchStateMachine"}],
        "states:DescribeExecution": [of_map_runs, of_shards],
        "states:StopExecution": [of_map_runs, of_shards],
        "states:RedriveExecution": [of_shards],
    }


def test_the_role_may_read_the_list_of_shards_where_plan_writes_it_and_nothing_else_of_the_bucket() -> None:
    role = resources("AWS::IAM::Role")["BatchStateMachineRole"]
    statements = [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]
    (read,) = [item for item in statements if str(item["Action"]).startswith("s3:")]
    assert read["Action"] == "s3:GetObject"
    place = read["Resource"]["Fn::Sub"].removeprefix("${DataBucket.Arn}/")
    assert fnmatchcase(object_keys.plan(f"batch_{'0' * 32}", "shards.json"), place)
