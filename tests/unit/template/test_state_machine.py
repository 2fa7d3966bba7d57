"""The state machines of batches and shards as written: nothing dangles, nothing is unbounded, and every error is recorded."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import chain
from typing import NamedTuple

import pytest

from batchyard.domain import object_keys
from batchyard.domain.errors import StaleRecord, StoreError
from batchyard.domain.step import BatchNext, Next
from tests.unit.template.documents import (
    INTEGRATIONS,
    Json,
    functions,
    listed,
    references,
    resources,
    state_machine,
    template,
    walk,
)

LAMBDA_TROUBLE = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
]
# Lambda names an error after its class.
RETRYABLE = [each.__name__ for each in (StoreError, StaleRecord)]
# What Step Functions calls a start that it has no room for, and one that it has made already: the first is named by the
# developer guide, the others follow the rule by which it names what the API answers.
NO_ROOM = [
    "StepFunctions.ExecutionLimitExceeded",
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.ThrottlingException",
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.SdkClientException",
]
MADE_ALREADY = ["StepFunctions.ExecutionAlreadyExists", "StepFunctions.ExecutionAlreadyExistsException"]
EVERYTHING = [["States.DataLimitExceeded"], ["States.ALL"]]
MACHINES = {name: state_machine(name) for name in ("batch", "shard")}
SUFFIX = "OfMany"  # of the states of the second iteration: names are unique in the whole machine
LONGEST_NAME = 80  # characters, of an execution


class State(NamedTuple):
    """A state with the states it may go to: those of a Map cannot be reached from outside."""

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


STATES = [state for machine in MACHINES.values() for state in states(machine)]
TASKS = [state for state in STATES if state.body["Type"] == "Task"]
STEPS = [state for state in TASKS if state.body["Resource"] == "${LambdaInvoke}"]
RUNS = [state for state in TASKS if state not in STEPS]  # of the machine of shards
RETRY: Json = STEPS[0].body["Retry"]  # of every step, in all state machines
WORKERS = [state for state in STATES if "Catch" in state.body]
each_step = pytest.mark.parametrize("state", STEPS, ids=lambda state: state.name)
each_run = pytest.mark.parametrize("state", RUNS, ids=lambda state: state.name)
each_worker = pytest.mark.parametrize("state", WORKERS, ids=lambda state: state.name)
each_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


def records_failures(state: State) -> bool:
    return bool(state.body.get("Parameters", {}).get("FunctionName") == "${FailFunction}")


def iterations() -> dict[str, Json]:
    """Return what the Maps do for each shard, by the name of the Map."""
    return {name: body["ItemProcessor"] for name, body in MACHINES["batch"]["States"].items() if body["Type"] == "Map"}


def lookup(name: str, siblings: Json) -> State:
    return State(name, siblings[name], siblings)


@each_machine
def test_every_state_is_reachable_and_every_next_exists(machine: Json) -> None:
    for each in machines(machine):
        seen: set[str] = set()
        waiting = [each["StartAt"]]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += targets(each["States"][name])  # a dangling Next is a KeyError here
        assert seen == set(each["States"])


@each_machine
def test_names_of_states_are_unique_in_the_whole_machine(machine: Json) -> None:
    names = [state.name for state in states(machine)]
    assert len(set(names)) == len(names)


def test_no_state_is_written_in_two_machines_but_the_error_path_after_an_unknown_answer() -> None:
    batch, shard = ([state.body for state in states(machine)] for machine in MACHINES.values())
    for body in (each for each in shard if each in batch):
        assert body["Type"] in {"Pass", "Fail"}


def test_only_a_succeed_or_a_fail_ends_an_execution() -> None:
    for state in STATES:
        ends = state.body["Type"] in {"Succeed", "Fail"}
        assert ends is not any(targets(state.body)), state.name
        assert "End" not in state.body, state.name


@each_step
def test_a_step_is_given_longer_than_its_function_so_that_the_function_is_what_times_out(state: State) -> None:
    name = state.body["Parameters"]["FunctionName"].strip("${}")
    default = template()["Globals"]["Function"]["Timeout"]
    timeout = functions()[name].get("Timeout", default)
    assert timeout < state.body["TimeoutSeconds"] <= timeout + 30


@each_step
def test_every_step_has_the_same_retries(state: State) -> None:
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


@each_run
def test_a_start_waits_as_long_for_room_and_what_the_execution_ends_with_is_not_tried_again(state: State) -> None:
    assert state.body["Resource"] == "${StartExecutionSync}"
    (retry,) = state.body["Retry"]
    assert retry == {**RETRY[0], "ErrorEquals": NO_ROOM}


@each_worker
def test_a_worker_catches_everything_that_can_be_caught(state: State) -> None:
    caught = [catch["ErrorEquals"] for catch in state.body["Catch"]]
    assert caught == ([MADE_ALREADY, *EVERYTHING] if state in RUNS else EVERYTHING)


def test_every_task_and_every_map_is_a_worker() -> None:
    assert [state for state in STATES if state.body["Type"] in {"Task", "Map", "Parallel"}] == WORKERS


@each_worker
def test_an_error_is_recorded_and_then_fails(state: State) -> None:
    for catch in state.body["Catch"]:
        follows = lookup(catch["Next"], state.siblings)
        if records_failures(state):
            assert follows.body["Type"] == ("Fail" if "RecordFailure" in state.siblings else "Succeed")
        elif catch["ErrorEquals"] == MADE_ALREADY:
            assert follows.body["Parameters"]["run.$"] == "States.MathAdd($.run, 1)"
        else:
            assert catch["ResultPath"] == "$.error"
            assert_told(follows)


def test_an_answer_that_a_choice_does_not_know_is_recorded_and_then_fails() -> None:
    choices = [state for state in STATES if state.body["Type"] == "Choice" and not of_iteration(state)]
    assert len(choices) == 3
    for state in choices:
        unexpected = lookup(state.body["Default"], state.siblings)
        assert set(unexpected.body["Result"]) == {"Error", "Cause"}
        assert unexpected.body["ResultPath"] == "$.error"
        assert_told(lookup(unexpected.body["Next"], state.siblings))


def of_iteration(state: State) -> bool:
    return any(state.name in each["States"] for each in iterations().values())


def assert_told(state: State) -> None:
    """Tell that a failure is recorded: of a batch before it fails, of a shard by the batch's machine, which sees it fail."""
    if state.siblings is MACHINES["shard"]["States"]:
        assert (state.body["Type"], state.body["ErrorPath"]) == ("Fail", "$.error.Error")
        return
    assert records_failures(state)
    if not of_iteration(state):
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
            assert choice["Variable"] == ("$.answer.next" if of_iteration(state) else "$.next")


def test_the_batch_s_choices_know_every_word_that_plan_and_assemble_answer() -> None:
    choices = [choice for body in MACHINES["batch"]["States"].values() for choice in body.get("Choices", ())]
    assert {choice["StringEquals"] for choice in choices} == set(BatchNext)


def test_both_maps_do_the_very_same_for_each_shard() -> None:
    inline, many = iterations().values()
    assert json.loads(json.dumps(many).replace(SUFFIX, "")) == {**inline, "ProcessorConfig": many["ProcessorConfig"]}
    assert all(SUFFIX in name for name in many["States"])
    assert inline["ProcessorConfig"] == {"Mode": "INLINE"}
    assert many["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


def test_both_maps_begin_an_iteration_with_the_same_and_go_on_in_the_same_way() -> None:
    inline, many = (MACHINES["batch"]["States"][name] for name in iterations())
    for field in ("MaxConcurrencyPath", "ResultPath", "Catch", "Next"):
        assert inline[field] == many[field]
    assert inline["ItemSelector"]["shard.$"] == "$$.Map.Item.Value"
    assert {**inline["ItemSelector"], "shard.$": "$$.Map.Item.Value.shard"} == many["ItemSelector"]


def test_an_iteration_never_fails_so_that_a_failing_shard_fails_no_sibling() -> None:
    for each in iterations().values():
        assert {body["Type"] for body in each["States"].values()} == {"Task", "Choice", "Pass", "Succeed"}
    assert MACHINES["batch"]["States"]["ShardsOfMany"]["ToleratedFailurePercentage"] == 100  # what no Catch sees


def test_shards_hand_nothing_back_so_that_their_number_is_not_limited_by_the_size_of_a_payload() -> None:
    for name, each in iterations().items():
        ends = [body for body in each["States"].values() if body["Type"] == "Succeed"]
        assert [end["OutputPath"] for end in ends] == [None]
        assert MACHINES["batch"]["States"][name]["ResultPath"] is None


def test_an_execution_of_a_shard_hands_back_what_is_next_and_the_batch_knows_each_answer() -> None:
    shard = MACHINES["shard"]["States"]
    ends = {choice["StringEquals"] for choice in shard["Next?"]["Choices"] if choice["Next"] == "Ended"}
    assert "OutputPath" not in shard["Ended"]
    for each in iterations().values():
        (again,) = (body for body in each["States"].values() if body["Type"] == "Choice")
        assert {choice["StringEquals"] for choice in again["Choices"]} == ends == {Next.DONE, Next.CONTINUE}


@each_run
def test_the_name_of_an_execution_of_a_shard_is_its_own_and_fits(state: State) -> None:
    form, *parts = state.body["Parameters"]["Name.$"].removeprefix("States.Format(").removesuffix(")").split(", ")
    assert parts == ["$.execution", "$.shard", "$.run"]
    restarted, last_shard, last_run = f"batch_{'0' * 32}-4", 9_999_999, 9_999_999
    name = form.strip("'").format(restarted, last_shard, last_run)
    assert len(name) <= LONGEST_NAME
    assert name.replace("-", "").replace("_", "").isalnum()


@each_run
def test_an_execution_of_a_shard_begins_as_a_step_is_given_and_names_its_parent(state: State) -> None:
    given = state.body["Parameters"]["Input"]
    assert {name.removesuffix(".$") for name in given} == {
        "batch_id", "shard", "next", "wait_seconds", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID",
    }  # fmt: skip
    assert (given["next"], given["wait_seconds"]) == (Next.SUBMIT, 0)


def named(machine: str) -> set[str]:
    """List what a definition wants substituted."""
    text = json.dumps(MACHINES[machine])
    return {part.split("}")[0] for part in text.split("${")[1:]}


@pytest.mark.parametrize(("machine", "name"), [("batch", "BatchStateMachine"), ("shard", "ShardStateMachine")])
def test_the_template_substitutes_exactly_what_the_definition_names(machine: str, name: str) -> None:
    given = resources("AWS::Serverless::StateMachine")[name]["DefinitionSubstitutions"]
    assert set(given) == named(machine)
    for key, value in given.items():
        if key in INTEGRATIONS:
            assert value == {"Fn::Sub": INTEGRATIONS[key].replace("arn:aws:", "arn:${AWS::Partition}:")}
        else:
            assert references(value) == {key}


def statements(role: str) -> list[Json]:
    policies = resources("AWS::IAM::Role")[role]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


@pytest.mark.parametrize(("machine", "role"), [("batch", "BatchStateMachineRole"), ("shard", "ShardStateMachineRole")])
def test_a_role_may_invoke_exactly_the_functions_that_the_definition_names(machine: str, role: str) -> None:
    invoked = [references(each["Resource"]) for each in statements(role) if each["Action"] == "lambda:InvokeFunction"]
    assert set(chain(*invoked)) == {name for name in named(machine) if name in functions()}
    assert machine == "batch" or len(invoked) == len(statements(role))  # and nothing else


def granted(items: list[Json]) -> dict[str, list[Json]]:
    """Return by action the resources on which it is granted, for starting executions and hearing of them."""
    return {
        action: [each["Resource"] for each in items if action in listed(each["Action"])]
        for item in items
        for action in listed(item["Action"])
        if action.startswith(("states:", "events:"))
    }


ARNS = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:"
RULES = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/"


def test_the_machine_of_batches_may_run_executions_of_shards_and_hear_of_them() -> None:
    of_shards = {"Fn::Sub": f"{ARNS}${{ShardStateMachine.Name}}:*"}
    rule = {"Fn::Sub": f"{RULES}StepFunctionsGetEventsForStepFunctionsExecutionRule"}
    # Source: "Start a new AWS Step Functions state machine from a running execution" of the developer guide
    assert granted(statements("BatchStateMachineRole")) == {
        "states:StartExecution": [{"Ref": "ShardStateMachine"}],
        "states:DescribeExecution": [of_shards],
        "states:StopExecution": [of_shards],
        "events:PutTargets": [rule],
        "events:PutRule": [rule],
        "events:DescribeRule": [rule],
    }


def test_the_machine_of_batches_may_run_its_own_distributed_map() -> None:
    (own,) = resources("AWS::IAM::Policy").values()
    label = MACHINES["batch"]["States"]["ShardsOfMany"]["Label"]
    of_map_runs = {"Fn::Sub": f"{ARNS}${{BatchStateMachine.Name}}:*"}
    of_items = {"Fn::Sub": f"{ARNS}${{BatchStateMachine.Name}}/{label}:*"}
    # Source: "IAM policies for using Distributed Map states" of the developer guide
    assert granted(own["PolicyDocument"]["Statement"]) == {
        "states:StartExecution": [{"Ref": "BatchStateMachine"}],
        "states:DescribeExecution": [of_map_runs, of_items],
        "states:StopExecution": [of_map_runs, of_items],
        "states:RedriveExecution": [of_items],
    }


def test_the_role_may_read_the_list_of_shards_where_plan_writes_it_and_nothing_else_of_the_bucket() -> None:
    (read,) = [item for item in statements("BatchStateMachineRole") if str(item["Action"]).startswith("s3:")]
    assert read["Action"] == "s3:GetObject"
    place = read["Resource"]["Fn::Sub"].removeprefix("${DataBucket.Arn}/")
    assert fnmatchcase(object_keys.plan(f"batch_{'0' * 32}", "shards.json"), place)
