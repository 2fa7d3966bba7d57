"""What the state machine does with the answers of its functions."""

import json
from typing import Any

import boto3
import pytest

from batchyard.errors import StoreError
from tests.integration.aws import REGION
from tests.integration.state_machine.conftest import (
    BUCKET,
    PLANNED,
    SHARDS_KEY,
    HandlerError,
    ThrottledError,
    Yard,
    step,
)


def of_shard(shard: int, yes: Any, no: Any) -> Any:
    """Answer `yes` for one shard and `no` for its siblings; both may be callables."""

    def answer(payload: dict[str, Any]) -> Any:
        chosen = yes if payload["shard"] == shard else no
        return chosen(payload) if callable(chosen) else chosen

    return answer


def test_a_batch_is_planned_its_shards_run_and_it_is_assembled(yard: Yard) -> None:
    execution = yard.run()
    assert execution["status"] == "SUCCEEDED"
    names = yard.functions.names()
    assert names[0] == "PlanFunction"
    assert names[-1] == "AssembleFunction"
    assert sorted(names[1:-1]) == ["CollectFunction"] * 3 + ["PollFunction"] * 3 + ["SubmitFunction"] * 3


def test_each_shard_starts_with_its_number_from_the_list_in_s3(yard: Yard) -> None:
    yard.run()
    started = yard.functions.payloads("SubmitFunction")
    assert sorted(payload["shard"] for payload in started) == [0, 1, 2]
    for payload in started:
        assert payload == {"batch_id": "batch_1", "shard": payload["shard"], "next": "submit", "wait_seconds": 0}


def test_assemble_is_told_the_batch_and_none_of_the_shards_answers(yard: Yard) -> None:
    yard.run()
    assert yard.functions.payloads("AssembleFunction") == [PLANNED]


def test_it_waits_as_long_as_a_step_asks_for(yard: Yard) -> None:
    yard.functions.answers["SubmitFunction"] = step(next="poll", wait_seconds=17)
    yard.functions.answers["PollFunction"] = step(next="collect", wait_seconds=3)
    yard.run()
    assert sorted(yard.waits) == [0, 0, 0, 3, 3, 3, 17, 17, 17]


def test_polling_goes_on_until_the_provider_batch_has_ended(yard: Yard) -> None:
    _one_shard()
    turns = [{"batch_id": "batch_1", "shard": 0, "next": "poll", "wait_seconds": 60}] * 5
    yard.functions.answers["PollFunction"] = [*turns, {**turns[0], "next": "collect", "wait_seconds": 0}]
    assert yard.run()["status"] == "SUCCEEDED"
    assert yard.functions.names().count("PollFunction") == 6


def test_unfinished_lines_are_submitted_again(yard: Yard) -> None:
    _one_shard()
    shard = {"batch_id": "batch_1", "shard": 0}
    yard.functions.answers["CollectFunction"] = [
        {**shard, "next": "submit", "wait_seconds": 30},
        {**shard, "next": "done", "wait_seconds": 0},
    ]
    assert yard.run()["status"] == "SUCCEEDED"
    middle = yard.functions.names()[1:-1]
    assert middle == ["SubmitFunction", "PollFunction", "CollectFunction"] * 2


def test_a_shard_with_nothing_left_to_send_ends_at_once(yard: Yard) -> None:
    yard.functions.answers["SubmitFunction"] = step(next="done", wait_seconds=0)
    assert yard.run()["status"] == "SUCCEEDED"
    assert "PollFunction" not in yard.functions.names()


@pytest.mark.parametrize("function", ["PlanFunction", "AssembleFunction"])
def test_a_step_that_ran_out_of_time_goes_on_in_another_turn(yard: Yard, function: str) -> None:
    again = {"PlanFunction": "plan", "AssembleFunction": "assemble"}[function]
    last = yard.functions.answers[function]
    assert isinstance(last, dict)
    yard.functions.answers[function] = [{**last, "next": again}, {**last, "next": again}, last]
    assert yard.run()["status"] == "SUCCEEDED"
    assert yard.functions.names().count(function) == 3


def test_shards_that_were_handed_over_run_in_fresh_executions_until_the_batch_can_be_assembled(yard: Yard) -> None:
    runs = yard.functions.payloads
    yard.functions.answers["PollFunction"] = lambda payload: {
        **payload, "next": "collect" if runs("AssembleFunction") else "relay", "wait_seconds": 0,
    }  # fmt: skip
    yard.functions.answers["AssembleFunction"] = [{**PLANNED, "next": "run"}, {**PLANNED, "next": "done"}]
    assert yard.run()["status"] == "SUCCEEDED"
    assert (yard.functions.names().count("SubmitFunction"), yard.functions.names().count("CollectFunction")) == (6, 3)
    assert [payload["next"] for payload in yard.functions.payloads("AssembleFunction")] == ["run", "run"]


def test_a_batch_without_shards_to_run_is_assembled_at_once(yard: Yard) -> None:
    yard.functions.answers["PlanFunction"] = {"batch_id": "batch_1", "next": "assemble"}
    assert yard.run()["status"] == "SUCCEEDED"
    assert yard.functions.names() == ["PlanFunction", "AssembleFunction"]


def test_a_refused_input_fails_the_execution_and_is_recorded_by_plan_alone(yard: Yard) -> None:
    yard.functions.answers["PlanFunction"] = {"batch_id": "batch_1", "next": "refused"}
    execution = yard.run()
    assert (execution["status"], execution["error"]) == ("FAILED", "BatchRefused")
    assert yard.functions.names() == ["PlanFunction"]


def test_a_batch_that_assemble_finds_failed_fails_the_execution(yard: Yard) -> None:
    yard.functions.answers["AssembleFunction"] = {"batch_id": "batch_1", "next": "failed"}
    execution = yard.run()
    assert (execution["status"], execution["error"]) == ("FAILED", "BatchFailed")


@pytest.mark.parametrize("function", ["PlanFunction", "SubmitFunction", "PollFunction", "CollectFunction"])
def test_a_passing_fault_of_a_step_is_retried(yard: Yard, function: str) -> None:
    _one_shard()
    well = yard.functions.answers[function]
    faults = [HandlerError("lost the table"), HandlerError("lost it again")]

    def faulty(payload: dict[str, Any]) -> Any:
        return faults.pop() if faults else well(payload) if callable(well) else well

    yard.functions.answers[function] = faulty
    assert yard.run()["status"] == "SUCCEEDED"
    assert yard.functions.names().count(function) == 3
    assert "FailFunction" not in yard.functions.names()


def test_a_function_for_which_the_account_has_no_room_is_waited_for_and_within_bounds(yard: Yard) -> None:
    yard.functions.answers["PlanFunction"] = [*[ThrottledError()] * 30, PLANNED]
    assert yard.run()["status"] == "SUCCEEDED"
    assert yard.functions.names().count("PlanFunction") == 31
    assert len(yard.backoffs) == 30
    assert all(0 <= seconds <= 600 for seconds in yard.backoffs)


def test_trouble_of_lambda_and_of_the_stores_have_their_tries_together(yard: Yard) -> None:
    yard.functions.answers["PlanFunction"] = [*[ThrottledError(), StoreError("no table")] * 15, ThrottledError()]
    assert yard.run()["status"] == "FAILED"
    assert yard.functions.names().count("PlanFunction") == 31
    (recorded,) = yard.functions.payloads("FailFunction")
    assert recorded["error"]["Error"] == "Lambda.TooManyRequestsException"


@pytest.mark.parametrize("function", ["PlanFunction", "AssembleFunction"])
def test_a_step_of_the_batch_that_keeps_failing_is_recorded_with_its_error_and_fails(yard: Yard, function: str) -> None:
    yard.functions.answers[function] = HandlerError("out of disk")
    execution = yard.run()
    assert yard.functions.names().count(function) == 4
    (recorded,) = yard.functions.payloads("FailFunction")
    assert recorded["batch_id"] == "batch_1"
    assert "shard" not in recorded
    assert recorded["error"]["Error"] == "HandlerError"
    assert json.loads(recorded["error"]["Cause"])["errorMessage"] == "out of disk"
    assert (execution["status"], execution["error"]) == ("FAILED", "HandlerError")
    assert "out of disk" in execution["cause"]


@pytest.mark.parametrize("function", ["SubmitFunction", "PollFunction", "CollectFunction"])
def test_a_shard_that_keeps_failing_is_recorded_and_its_siblings_finish(yard: Yard, function: str) -> None:
    well = yard.functions.answers[function]
    yard.functions.answers[function] = of_shard(1, HandlerError("no luck"), well)
    assert yard.run()["status"] == "SUCCEEDED"
    (recorded,) = yard.functions.payloads("FailFunction")
    assert (recorded["batch_id"], recorded["shard"]) == ("batch_1", 1)
    assert recorded["error"]["Error"] == "HandlerError"
    assert yard.functions.names().count("AssembleFunction") == 1
    collected = {payload["shard"] for payload in yard.functions.payloads("CollectFunction")}
    assert {0, 2} <= collected


def test_when_every_shard_fails_the_batch_is_still_assembled(yard: Yard) -> None:
    yard.functions.answers["SubmitFunction"] = HandlerError("provider gone")
    yard.run()
    assert sorted(payload["shard"] for payload in yard.functions.payloads("FailFunction")) == [0, 1, 2]
    assert yard.functions.names()[-1] == "AssembleFunction"


def test_a_failure_that_cannot_be_recorded_still_fails_with_its_own_error(yard: Yard) -> None:
    yard.functions.answers["PlanFunction"] = HandlerError("out of disk")
    yard.functions.answers["FailFunction"] = RuntimeError("no table either")
    execution = yard.run()
    assert (execution["status"], execution["error"]) == ("FAILED", "HandlerError")
    assert "out of disk" in execution["cause"]
    assert yard.functions.names().count("FailFunction") == 4


@pytest.mark.parametrize("function", ["PlanFunction", "AssembleFunction"])
def test_an_answer_that_it_does_not_know_is_recorded_and_fails(yard: Yard, function: str) -> None:
    yard.functions.answers[function] = {"batch_id": "batch_1", "next": "dance"}
    execution = yard.run()
    (recorded,) = yard.functions.payloads("FailFunction")
    assert recorded["error"]["Error"] == "UnexpectedAnswer"
    assert (execution["status"], execution["error"]) == ("FAILED", "UnexpectedAnswer")


def test_a_shards_answer_that_it_does_not_know_is_recorded_and_its_siblings_finish(yard: Yard) -> None:
    well = yard.functions.answers["PollFunction"]
    yard.functions.answers["PollFunction"] = of_shard(2, step(next="dance", wait_seconds=0), well)
    assert yard.run()["status"] == "SUCCEEDED"
    (recorded,) = yard.functions.payloads("FailFunction")
    assert (recorded["shard"], recorded["error"]["Error"]) == (2, "UnexpectedAnswer")


def test_a_list_of_shards_that_cannot_be_read_is_recorded_and_fails(yard: Yard) -> None:
    boto3.client("s3", REGION).delete_object(Bucket=BUCKET, Key=SHARDS_KEY)
    execution = yard.run()
    assert execution["status"] == "FAILED"
    (recorded,) = yard.functions.payloads("FailFunction")
    assert recorded["error"]["Error"] == execution["error"]
    assert "SubmitFunction" not in yard.functions.names()


def test_a_batch_cannot_be_started_twice(yard: Yard) -> None:
    yard.run()
    with pytest.raises(boto3.client("stepfunctions", REGION).exceptions.ExecutionAlreadyExists):
        yard.run()
    assert yard.functions.names().count("PlanFunction") == 1


def _one_shard() -> None:
    boto3.client("s3", REGION).put_object(Bucket=BUCKET, Key=SHARDS_KEY, Body=b'[{"shard": 0}]')
