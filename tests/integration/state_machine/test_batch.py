"""What the state machines of batches and shards do with the answers of their functions, through either Map."""

import json
import threading
import time
from typing import Any

import boto3
import pytest

from batchyard.domain.errors import StoreError
from batchyard.domain.step import MOST_SIDE_BY_SIDE
from tests.fakes.moto import REGION
from tests.integration.state_machine.conftest import (
    BUCKET,
    SHARDS_KEY,
    Answer,
    HandlerError,
    RunningStack,
    ThrottledError,
    step,
    through_both_maps,
)


def of_shard(shard: int, yes: Any, no: Any) -> Any:
    """Answer `yes` for one shard and `no` for its siblings; both may be callables."""

    def answer(payload: dict[str, Any]) -> Any:
        chosen = yes if payload["shard"] == shard else no
        return chosen(payload) if callable(chosen) else chosen

    return answer


@through_both_maps
def test_a_batch_is_planned_its_shards_run_and_it_is_assembled(stack: RunningStack) -> None:
    execution = stack.run()
    assert execution["status"] == "SUCCEEDED"
    names = stack.functions.names()
    assert names[0] == "PlanFunction"
    assert names[-1] == "AssembleFunction"
    assert sorted(names[1:-1]) == ["CollectFunction"] * 3 + ["PollFunction"] * 3 + ["SubmitFunction"] * 3


@through_both_maps
def test_each_shard_has_an_execution_of_its_own_that_starts_with_its_number(stack: RunningStack) -> None:
    stack.run()
    started = stack.functions.payloads("SubmitFunction")
    assert sorted(payload["shard"] for payload in started) == [0, 1, 2]
    for payload in started:
        parent = payload.pop("AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID")
        assert ":execution:batch" in parent
        assert payload == {"batch_id": "batch_1", "shard": payload["shard"], "next": "submit", "wait_seconds": 0}
    assert stack.shard_executions() == {f"batch_1-shard-{number}-run-1": "SUCCEEDED" for number in range(3)}


@through_both_maps
def test_assemble_is_told_the_batch_and_none_of_the_shards_answers(stack: RunningStack) -> None:
    stack.run()
    (told,) = stack.functions.payloads("AssembleFunction")
    assert {**told, "numbers": None} == {**stack.functions.answers["PlanFunction"], "numbers": None}  # type: ignore[dict-item]  # it is an answer


def test_it_waits_as_long_as_a_step_asks_for(stack: RunningStack) -> None:
    stack.functions.answers["SubmitFunction"] = step(next="poll", wait_seconds=17)
    stack.functions.answers["PollFunction"] = step(next="collect", wait_seconds=3)
    stack.run()
    assert sorted(stack.waits) == [0, 0, 0, 3, 3, 3, 17, 17, 17]


def test_polling_goes_on_until_the_provider_batch_has_ended(stack: RunningStack) -> None:
    stack.has_shards(1)
    turns = [{"batch_id": "batch_1", "shard": 0, "next": "poll", "wait_seconds": 60}] * 5
    stack.functions.answers["PollFunction"] = [*turns, {**turns[0], "next": "collect", "wait_seconds": 0}]
    assert stack.run()["status"] == "SUCCEEDED"
    assert stack.functions.names().count("PollFunction") == 6


def test_unfinished_lines_are_submitted_again(stack: RunningStack) -> None:
    stack.has_shards(1)
    shard = {"batch_id": "batch_1", "shard": 0}
    stack.functions.answers["CollectFunction"] = [
        {**shard, "next": "submit", "wait_seconds": 30},
        {**shard, "next": "done", "wait_seconds": 0},
    ]
    assert stack.run()["status"] == "SUCCEEDED"
    middle = stack.functions.names()[1:-1]
    assert middle == ["SubmitFunction", "PollFunction", "CollectFunction"] * 2


def test_a_shard_with_nothing_left_to_send_ends_at_once(stack: RunningStack) -> None:
    stack.functions.answers["SubmitFunction"] = step(next="done", wait_seconds=0)
    assert stack.run()["status"] == "SUCCEEDED"
    assert "PollFunction" not in stack.functions.names()


@pytest.mark.parametrize("function", ["PlanFunction", "AssembleFunction"])
def test_a_step_that_ran_out_of_time_goes_on_in_another_turn(stack: RunningStack, function: str) -> None:
    again = {"PlanFunction": "plan", "AssembleFunction": "assemble"}[function]
    last = stack.functions.answers[function]
    assert isinstance(last, dict)
    stack.functions.answers[function] = [{**last, "next": again}, {**last, "next": again}, last]
    assert stack.run()["status"] == "SUCCEEDED"
    assert stack.functions.names().count(function) == 3


@through_both_maps
def test_a_shard_goes_on_in_a_fresh_execution_while_the_last_one_says_so(stack: RunningStack) -> None:
    stack.has_shards(2)
    again = {"next": "continue", "wait_seconds": 0}
    runs = {0: [again, again], 1: [again]}
    stack.functions.answers["PollFunction"] = lambda payload: {
        **payload, **(runs[payload["shard"]].pop() if runs[payload["shard"]] else {"next": "collect", "wait_seconds": 0}),
    }  # fmt: skip
    assert stack.run()["status"] == "SUCCEEDED"
    assert set(stack.shard_executions()) == {
        "batch_1-shard-0-run-1", "batch_1-shard-0-run-2", "batch_1-shard-0-run-3",
        "batch_1-shard-1-run-1", "batch_1-shard-1-run-2",
    }  # fmt: skip
    assert stack.functions.names().count("AssembleFunction") == 1
    assert "FailFunction" not in stack.functions.names()


def test_a_start_that_was_made_before_is_waited_for_and_not_made_twice(stack: RunningStack) -> None:
    stack.has_shards(1)
    held, known = threading.Event(), stack.functions.answers["SubmitFunction"]
    assert callable(known)

    def hold(payload: dict[str, Any]) -> Answer:
        held.wait(10)
        return known(payload)

    stack.functions.answers["SubmitFunction"] = hold
    ended = list[Any]()
    running = threading.Thread(target=lambda: ended.append(stack.run()))
    running.start()
    while "SubmitFunction" not in stack.functions.names():
        time.sleep(0.01)
    (started,) = stack.functions.payloads("SubmitFunction")
    client = boto3.client("stepfunctions", REGION)
    again = client.start_execution(
        stateMachineArn=stack.shard_machine,
        name="batch_1-shard-0-run-1",
        input=json.dumps(started, separators=(",", ":")),
    )
    assert again["executionArn"].endswith(":batch_1-shard-0-run-1")
    held.set()
    running.join()
    assert [each["status"] for each in ended] == ["SUCCEEDED"]
    assert stack.functions.names().count("SubmitFunction") == 1


def test_a_start_that_was_made_before_and_has_ended_is_followed_by_a_fresh_one(stack: RunningStack) -> None:
    stack.has_shards(1)
    client = boto3.client("stepfunctions", REGION)
    client.start_execution(
        stateMachineArn=stack.shard_machine, name="batch_1-shard-0-run-1",
        input=json.dumps({"batch_id": "batch_1", "shard": 0, "next": "submit", "wait_seconds": 0}),
    )  # fmt: skip
    while stack.shard_executions() != {"batch_1-shard-0-run-1": "SUCCEEDED"}:
        time.sleep(0.01)
    assert stack.run()["status"] == "SUCCEEDED"
    assert set(stack.shard_executions()) == {"batch_1-shard-0-run-1", "batch_1-shard-0-run-2"}
    assert "FailFunction" not in stack.functions.names()


def test_a_batch_without_shards_to_run_is_assembled_at_once(stack: RunningStack) -> None:
    stack.functions.answers["PlanFunction"] = {"batch_id": "batch_1", "next": "assemble"}
    assert stack.run()["status"] == "SUCCEEDED"
    assert stack.functions.names() == ["PlanFunction", "AssembleFunction"]


def test_a_refused_input_fails_the_execution_and_is_recorded_by_plan_alone(stack: RunningStack) -> None:
    stack.functions.answers["PlanFunction"] = {"batch_id": "batch_1", "next": "refused"}
    execution = stack.run()
    assert (execution["status"], execution["error"]) == ("FAILED", "BatchRefused")
    assert stack.functions.names() == ["PlanFunction"]


def test_a_batch_that_assemble_finds_failed_fails_the_execution(stack: RunningStack) -> None:
    stack.functions.answers["AssembleFunction"] = {"batch_id": "batch_1", "next": "failed"}
    execution = stack.run()
    assert (execution["status"], execution["error"]) == ("FAILED", "BatchFailed")


@pytest.mark.parametrize("function", ["PlanFunction", "SubmitFunction", "PollFunction", "CollectFunction"])
def test_a_passing_fault_of_a_step_is_retried(stack: RunningStack, function: str) -> None:
    stack.has_shards(1)
    well = stack.functions.answers[function]
    faults = [HandlerError("lost the table"), HandlerError("lost it again")]

    def faulty(payload: dict[str, Any]) -> Any:
        return faults.pop() if faults else well(payload) if callable(well) else well

    stack.functions.answers[function] = faulty
    assert stack.run()["status"] == "SUCCEEDED"
    assert stack.functions.names().count(function) == 3
    assert "FailFunction" not in stack.functions.names()


def test_a_function_for_which_the_account_has_no_room_is_waited_for_and_within_bounds(stack: RunningStack) -> None:
    planned = stack.functions.answers["PlanFunction"]
    stack.functions.answers["PlanFunction"] = [*[ThrottledError()] * 30, planned]  # type: ignore[list-item]  # one answer
    assert stack.run()["status"] == "SUCCEEDED"
    assert stack.functions.names().count("PlanFunction") == 31
    assert len(stack.backoffs) == 30
    assert all(0 <= seconds <= 600 for seconds in stack.backoffs)


def test_trouble_of_lambda_and_of_the_stores_have_their_tries_together(stack: RunningStack) -> None:
    stack.functions.answers["PlanFunction"] = [*[ThrottledError(), StoreError("no table")] * 15, ThrottledError()]
    assert stack.run()["status"] == "FAILED"
    assert stack.functions.names().count("PlanFunction") == 31
    (recorded,) = stack.functions.payloads("FailFunction")
    assert recorded["error"]["Error"] == "Lambda.TooManyRequestsException"


@pytest.mark.parametrize("function", ["PlanFunction", "AssembleFunction"])
def test_a_step_of_the_batch_that_keeps_failing_is_recorded_with_its_error_and_fails(
    stack: RunningStack, function: str
) -> None:
    stack.functions.answers[function] = HandlerError("out of disk")
    execution = stack.run()
    assert stack.functions.names().count(function) == 4
    (recorded,) = stack.functions.payloads("FailFunction")
    assert recorded["batch_id"] == "batch_1"
    assert "shard" not in recorded
    assert recorded["error"]["Error"] == "HandlerError"
    assert json.loads(recorded["error"]["Cause"])["errorMessage"] == "out of disk"
    assert (execution["status"], execution["error"]) == ("FAILED", "HandlerError")
    assert "out of disk" in execution["cause"]


@pytest.mark.parametrize("function", ["SubmitFunction", "PollFunction", "CollectFunction"])
def test_a_shard_that_keeps_failing_is_recorded_and_its_siblings_finish(stack: RunningStack, function: str) -> None:
    well = stack.functions.answers[function]
    stack.functions.answers[function] = of_shard(1, HandlerError("no luck"), well)
    assert stack.run()["status"] == "SUCCEEDED"
    (recorded,) = stack.functions.payloads("FailFunction")
    assert {**recorded, "error": None} == {
        "batch_id": "batch_1",
        "shard": 1,
        "execution": "batch_1",
        "run": 1,
        "error": None,
    }
    assert recorded["error"]["Error"] == "States.TaskFailed"
    described = json.loads(recorded["error"]["Cause"])
    assert (described["Name"], described["Status"]) == ("batch_1-shard-1-run-1", "FAILED")
    assert described["Error"] == "HandlerError"
    assert "no luck" in described["Cause"]
    assert stack.functions.names().count(function) == 6  # three times for each of the others' one
    assert stack.functions.names().count("AssembleFunction") == 1
    collected = {payload["shard"] for payload in stack.functions.payloads("CollectFunction")}
    assert {0, 2} <= collected


def test_a_shard_that_failed_is_run_again_while_that_is_answered(stack: RunningStack) -> None:
    stack.has_shards(1)
    answers = ["continue", "continue", "done"]
    stack.functions.answers["FailFunction"] = [{"batch_id": "batch_1", "next": each} for each in answers]
    stack.functions.answers["SubmitFunction"] = HandlerError("no luck")
    assert stack.run()["status"] == "SUCCEEDED"
    assert stack.shard_executions() == {f"batch_1-shard-0-run-{run}": "FAILED" for run in (1, 2, 3)}
    assert [payload["run"] for payload in stack.functions.payloads("FailFunction")] == [1, 2, 3]
    assert all("answer" not in payload for payload in stack.functions.payloads("FailFunction"))


@through_both_maps
def test_an_execution_of_a_shard_that_is_stopped_alone_is_recorded_and_its_siblings_finish(stack: RunningStack) -> None:
    client = boto3.client("stepfunctions", REGION)
    known = stack.functions.answers["PollFunction"]
    assert callable(known)

    def stopped(payload: dict[str, Any]) -> Any:
        executions = stack.shard_machine.replace(":stateMachine:", ":execution:")
        client.stop_execution(executionArn=f"{executions}:batch_1-shard-1-run-1")
        return known(payload)

    stack.functions.answers["PollFunction"] = of_shard(1, stopped, known)
    assert stack.run()["status"] == "SUCCEEDED"
    (recorded,) = stack.functions.payloads("FailFunction")
    assert (recorded["shard"], recorded["error"]["Error"]) == (1, "States.TaskFailed")
    assert json.loads(recorded["error"]["Cause"])["Status"] == "ABORTED"
    assert stack.functions.names()[-1] == "AssembleFunction"


@through_both_maps
def test_an_error_of_the_definition_itself_is_recorded_as_the_shards(stack: RunningStack) -> None:
    stack.functions.answers["SubmitFunction"] = of_shard(
        1, step(next="poll", wait_seconds="soon"), stack.functions.answers["SubmitFunction"]
    )
    assert stack.run()["status"] == "SUCCEEDED"
    (recorded,) = stack.functions.payloads("FailFunction")
    described = json.loads(recorded["error"]["Cause"])
    assert (recorded["shard"], described["Error"]) == (1, "States.Runtime")


@through_both_maps
def test_a_shards_failure_that_cannot_be_recorded_fails_neither_its_siblings_nor_the_batch(stack: RunningStack) -> None:
    stack.functions.answers["SubmitFunction"] = of_shard(
        1, HandlerError("no luck"), stack.functions.answers["SubmitFunction"]
    )
    stack.functions.answers["FailFunction"] = RuntimeError("no table either")
    assert stack.run()["status"] == "SUCCEEDED"
    assert stack.functions.names().count("FailFunction") == 4
    assert stack.functions.names()[-1] == "AssembleFunction"


@through_both_maps
def test_when_every_shard_fails_the_batch_is_still_assembled(stack: RunningStack) -> None:
    stack.functions.answers["SubmitFunction"] = HandlerError("provider gone")
    stack.run()
    assert sorted(payload["shard"] for payload in stack.functions.payloads("FailFunction")) == [0, 1, 2]
    assert stack.functions.names()[-1] == "AssembleFunction"


def test_a_failure_that_cannot_be_recorded_still_fails_with_its_own_error(stack: RunningStack) -> None:
    stack.functions.answers["PlanFunction"] = HandlerError("out of disk")
    stack.functions.answers["FailFunction"] = RuntimeError("no table either")
    execution = stack.run()
    assert (execution["status"], execution["error"]) == ("FAILED", "HandlerError")
    assert "out of disk" in execution["cause"]
    assert stack.functions.names().count("FailFunction") == 4


@pytest.mark.parametrize("function", ["PlanFunction", "AssembleFunction"])
def test_an_answer_that_it_does_not_know_is_recorded_and_fails(stack: RunningStack, function: str) -> None:
    stack.functions.answers[function] = {"batch_id": "batch_1", "next": "dance"}
    execution = stack.run()
    (recorded,) = stack.functions.payloads("FailFunction")
    assert recorded["error"]["Error"] == "UnexpectedAnswer"
    assert (execution["status"], execution["error"]) == ("FAILED", "UnexpectedAnswer")


def test_a_shards_answer_that_it_does_not_know_is_recorded_and_its_siblings_finish(stack: RunningStack) -> None:
    well = stack.functions.answers["PollFunction"]
    stack.functions.answers["PollFunction"] = of_shard(2, step(next="dance", wait_seconds=0), well)
    assert stack.run()["status"] == "SUCCEEDED"
    (recorded,) = stack.functions.payloads("FailFunction")
    assert (recorded["shard"], json.loads(recorded["error"]["Cause"])["Error"]) == (2, "UnexpectedAnswer")


@pytest.mark.parametrize("stack", ["run_distributed"], indirect=True)
def test_a_list_of_shards_that_cannot_be_read_is_recorded_and_fails(stack: RunningStack) -> None:
    boto3.client("s3", REGION).delete_object(Bucket=BUCKET, Key=SHARDS_KEY)
    execution = stack.run()
    assert execution["status"] == "FAILED"
    (recorded,) = stack.functions.payloads("FailFunction")
    assert recorded["error"]["Error"] == execution["error"]
    assert "SubmitFunction" not in stack.functions.names()


def test_a_batch_cannot_be_started_twice(stack: RunningStack) -> None:
    stack.run()
    with pytest.raises(boto3.client("stepfunctions", REGION).exceptions.ExecutionAlreadyExists):
        stack.run()
    assert stack.functions.names().count("PlanFunction") == 1


def test_fifty_shards_of_which_forty_may_run_at_once_are_run_inline(stack: RunningStack) -> None:
    stack.has_shards(50, max_concurrency=MOST_SIDE_BY_SIDE)
    stack.functions.answers["SubmitFunction"] = step(next="done", wait_seconds=0)
    assert stack.run()["status"] == "SUCCEEDED"
    assert sorted(payload["shard"] for payload in stack.functions.payloads("SubmitFunction")) == list(range(50))
    assert stack.functions.names()[-1] == "AssembleFunction"
