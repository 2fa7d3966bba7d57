"""What the state machine does with the answers of its functions."""

import json
from typing import Any

import boto3
import pytest

from batchyard.domain.errors import StoreError
from tests.fakes.moto import REGION
from tests.integration.state_machine.conftest import (
    BUCKET,
    PLANNED,
    SHARDS_KEY,
    HandlerError,
    RunningStack,
    ThrottledError,
    step,
)


def of_shard(shard: int, yes: Any, no: Any) -> Any:
    """Answer `yes` for one shard and `no` for its siblings; both may be callables."""

    def answer(payload: dict[str, Any]) -> Any:
        chosen = yes if payload["shard"] == shard else no
        return chosen(payload) if callable(chosen) else chosen

    return answer


def test_a_batch_is_planned_its_shards_run_and_it_is_assembled(stack: RunningStack) -> None:
    execution = stack.run()
    assert execution["status"] == "SUCCEEDED"
    names = stack.functions.names()
    assert names[0] == "PlanFunction"
    assert names[-1] == "AssembleFunction"
    assert sorted(names[1:-1]) == ["CollectFunction"] * 3 + ["PollFunction"] * 3 + ["SubmitFunction"] * 3


def test_each_shard_starts_with_its_number_from_the_list_in_s3(stack: RunningStack) -> None:
    stack.run()
    started = stack.functions.payloads("SubmitFunction")
    assert sorted(payload["shard"] for payload in started) == [0, 1, 2]
    for payload in started:
        assert payload == {"batch_id": "batch_1", "shard": payload["shard"], "next": "submit", "wait_seconds": 0}


def test_assemble_is_told_the_batch_and_none_of_the_shards_answers(stack: RunningStack) -> None:
    stack.run()
    assert stack.functions.payloads("AssembleFunction") == [PLANNED]


def test_it_waits_as_long_as_a_step_asks_for(stack: RunningStack) -> None:
    stack.functions.answers["SubmitFunction"] = step(next="poll", wait_seconds=17)
    stack.functions.answers["PollFunction"] = step(next="collect", wait_seconds=3)
    stack.run()
    assert sorted(stack.waits) == [0, 0, 0, 3, 3, 3, 17, 17, 17]


def test_polling_goes_on_until_the_provider_batch_has_ended(stack: RunningStack) -> None:
    _one_shard()
    turns = [{"batch_id": "batch_1", "shard": 0, "next": "poll", "wait_seconds": 60}] * 5
    stack.functions.answers["PollFunction"] = [*turns, {**turns[0], "next": "collect", "wait_seconds": 0}]
    assert stack.run()["status"] == "SUCCEEDED"
    assert stack.functions.names().count("PollFunction") == 6


def test_unfinished_lines_are_submitted_again(stack: RunningStack) -> None:
    _one_shard()
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


def test_shards_that_were_handed_over_run_in_fresh_executions_until_the_batch_can_be_assembled(
    stack: RunningStack,
) -> None:
    runs = stack.functions.payloads
    stack.functions.answers["PollFunction"] = lambda payload: {
        **payload, "next": "collect" if runs("AssembleFunction") else "continue", "wait_seconds": 0,
    }  # fmt: skip
    stack.functions.answers["AssembleFunction"] = [{**PLANNED, "next": "run"}, {**PLANNED, "next": "done"}]
    assert stack.run()["status"] == "SUCCEEDED"
    assert (stack.functions.names().count("SubmitFunction"), stack.functions.names().count("CollectFunction")) == (6, 3)
    assert [payload["next"] for payload in stack.functions.payloads("AssembleFunction")] == ["run", "run"]


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
    _one_shard()
    well = stack.functions.answers[function]
    faults = [HandlerError("lost the table"), HandlerError("lost it again")]

    def faulty(payload: dict[str, Any]) -> Any:
        return faults.pop() if faults else well(payload) if callable(well) else well

    stack.functions.answers[function] = faulty
    assert stack.run()["status"] == "SUCCEEDED"
    assert stack.functions.names().count(function) == 3
    assert "FailFunction" not in stack.functions.names()


def test_a_function_for_which_the_account_has_no_room_is_waited_for_and_within_bounds(stack: RunningStack) -> None:
    stack.functions.answers["PlanFunction"] = [*[ThrottledError()] * 30, PLANNED]
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
    assert (recorded["batch_id"], recorded["shard"]) == ("batch_1", 1)
    assert recorded["error"]["Error"] == "HandlerError"
    assert stack.functions.names().count("AssembleFunction") == 1
    collected = {payload["shard"] for payload in stack.functions.payloads("CollectFunction")}
    assert {0, 2} <= collected


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
    assert (recorded["shard"], recorded["error"]["Error"]) == (2, "UnexpectedAnswer")


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


def _one_shard() -> None:
    boto3.client("s3", REGION).put_object(Bucket=BUCKET, Key=SHARDS_KEY, Body=b'[{"shard": 0}]')
