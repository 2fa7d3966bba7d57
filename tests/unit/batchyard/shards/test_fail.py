"""A failure nobody can mend is recorded once, and what the provider still runs is not left running."""

import json

import pytest

from batchyard.domain.shard import change, change_attempt
from batchyard.domain.step import Next, Step
from batchyard.planning.plan import plan
from batchyard.shards.fail import RESTS, end_batch, fail_batch, fail_shard
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.nested import nested
from tests.fakes.planned import dropped, planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)


def test_a_batch_of_which_nothing_was_sent_fails_at_once() -> None:
    services = dropped()
    fail_batch(services, BATCH_ID, {"Error": "States.Runtime", "Cause": "no such path"})
    assert services.cancel_function.invoked == [{"batch_id": BATCH_ID}]
    assert (services.batch_store.batch(BATCH_ID).status, services.event_bus.announced) == ("failed", ["failed"])


def test_a_batch_that_may_have_answers_is_given_up_and_keeps_its_status_and_its_first_reason() -> None:
    services = planned()
    fail_batch(services, BATCH_ID, {"Error": "first"})
    given_up = services.batch_store.batch(BATCH_ID)
    services.now_is += 60
    fail_batch(services, BATCH_ID, {"Error": "second"})
    assert services.batch_store.batch(BATCH_ID) == given_up
    assert (given_up.status, given_up.draining_since) == ("in_progress", services.now() - 60)
    assert given_up.drain_reason is not None
    assert "first" in given_up.drain_reason.message
    assert services.cancel_function.invoked == [{"batch_id": BATCH_ID}] * 2


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ('{"errorMessage": "no such path", "errorType": "X"}', "no such path"),
        ('{"errorMessage": "no such path", "x": "\\ud800"}', "no such path"),
        ('{"other": 1}', "other"),
        ("no JSON", "no JSON"),
        ("[1]", "[1]"),
        (nested(10_000).decode(), "[[[["),
        ('{"errorMessage":' + nested(200_000).decode() + "}", "errorMessage"),
    ],
)
def test_a_cause_is_told_whatever_it_is(cause: str, told: str) -> None:
    services = dropped()
    fail_batch(services, BATCH_ID, {"Error": "States.Runtime", "Cause": cause})
    (error,) = services.batch_store.batch(BATCH_ID).errors
    assert error.message.startswith("Batchyard could not go on: States.Runtime: ")
    assert told in error.message
    assert len(error.message) < 600


ARN = "arn:aws:sts::123456789012:assumed-role/batchyard-SubmitFunctionRole-AbC/batchyard-Submit"
DENIED = f"User: {ARN} is not authorized to perform: dynamodb:PutItem on resource: {ARN.replace('sts', 'dynamodb')}"


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (
            f"recording BATCH#1: AWS answered AccessDeniedException: {DENIED}",
            "recording BATCH#1: AWS answered AccessDenied",
        ),
        (DENIED, "is not authorized to perform: dynamodb:PutItem"),
        (f"reading the secret {ARN}: it is empty", "reading the secret …"),
        ('Could not connect to "https://secretsmanager.eu-central-1.amazonaws.com/"', "Could not connect to"),
        ("no such host: batchyard-data.s3.eu-central-1.amazonaws.com.", "no such host: …"),
        ("in China arn:aws-cn:s3:::bucket/key, account 123456789012", "in China …"),
    ],
)
def test_a_tenant_is_told_nothing_of_the_account_and_the_log_everything(
    cause: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    for given in (cause, json.dumps({"errorMessage": cause}), nested_cause(cause)):
        services = dropped()
        fail_batch(services, BATCH_ID, {"Error": "StoreError", "Cause": given})
        (error,) = services.batch_store.batch(BATCH_ID).errors
        assert told in error.message
        for secret in ("arn:", "123456789012", "amazonaws", "assumed-role", "bucket/key"):
            assert secret not in error.message
        assert vars(caplog.records.pop())["reason"] == f"StoreError: {cause}"


def nested_cause(cause: str) -> str:
    """Tell a cause as the description of a nested execution does."""
    step = json.dumps({"errorMessage": cause, "errorType": "StoreError"})
    ended = {"ExecutionArn": ARN, "Error": "StoreError", "Cause": json.dumps({"Error": "StoreError", "Cause": step})}
    return json.dumps(ended)


def test_a_batch_that_is_given_up_sends_nothing_more() -> None:
    services = planned()
    fail_batch(services, BATCH_ID, {"Error": "States.Runtime"})
    assert plan(services, BATCH_ID).next == "run"
    assert submit(services, FIRST).next == "done"
    assert services.provider.calls == []
    assert services.batch_store.kept[BATCH_ID, 0].reason == services.batch_store.batch(BATCH_ID).drain_reason


def test_a_batch_that_ends_as_failed_has_its_provider_batches_cancelled() -> None:
    services = planned()
    fail_batch(services, BATCH_ID, {"Error": "States.Runtime"})
    reason = services.batch_store.batch(BATCH_ID).drain_reason
    assert reason is not None
    end_batch(services, BATCH_ID, reason)
    assert (services.batch_store.batch(BATCH_ID).status, services.batch_store.batch(BATCH_ID).errors) == (
        "failed",
        [reason],
    )
    assert services.event_bus.announced[-1] == "failed"


def at_provider() -> MemoryServices:
    services = planned()
    submit(services, FIRST)
    return services


def test_a_shard_with_a_provider_batch_is_left_to_another_execution_after_a_rest() -> None:
    services = at_provider()
    assert fail_shard(services, BATCH_ID, 0, {"Error": "first"}) == "continue"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.draining, shard.done) == (True, False)
    assert services.cancel_function.invoked == [{"batch_id": BATCH_ID}]
    assert submit(services, FIRST) == FIRST.then(Next.SUBMIT, RESTS[0])
    services.now_is += RESTS[0]
    assert submit(services, FIRST).next == "poll"


@pytest.mark.parametrize("known", [True, False])
def test_a_shard_that_fails_at_every_rest_too_is_done_and_names_what_the_provider_has(*, known: bool) -> None:
    services = at_provider()
    shard = services.batch_store.kept[BATCH_ID, 0]
    if not known:
        services.batch_store.save_shard(shard, change_attempt(shard, provider_batch_id=None))
    rests = []
    for _ in RESTS:
        assert fail_shard(services, BATCH_ID, 0, {"Error": "first"}) == "continue"
        rests.append(services.batch_store.kept[BATCH_ID, 0].rest_until - services.now())
    assert tuple(rests) == RESTS
    assert fail_shard(services, BATCH_ID, 0, {"Error": "last"}) == "done"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert shard.done
    assert shard.reason is not None
    assert ("first" in shard.reason.message, "pb-0" in shard.reason.message) == (True, known)


def test_a_shard_that_is_done_keeps_its_reason_but_what_it_left_running_is_cancelled() -> None:
    services = planned()
    assert fail_shard(services, BATCH_ID, 0, {"Error": "first"}) == "done"
    recorded = services.batch_store.kept[BATCH_ID, 0]
    assert recorded.done
    assert fail_shard(services, BATCH_ID, 0, {"Error": "second"}) == "done"
    assert services.batch_store.kept[BATCH_ID, 0] == recorded
    assert services.cancel_function.invoked == [{"batch_id": BATCH_ID}] * 2


def test_a_shard_that_was_only_uploaded_is_done_at_once() -> None:
    services = at_provider()
    shard = services.batch_store.kept[BATCH_ID, 0]
    services.batch_store.save_shard(
        shard, change(change_attempt(shard, provider_batch_id=None, creating_at=None), file_id="file-0")
    )
    fail_shard(services, BATCH_ID, 0, {"Error": "States.Timeout"})
    assert services.batch_store.kept[BATCH_ID, 0].done
    assert services.batch_store.kept[BATCH_ID, 0].files_to_delete == ["file-0"]


def described(status: str, **told: str) -> dict[str, str]:
    """Make the error that a task ends with when the execution that it started does not succeed."""
    named = {"ExecutionArn": "arn:aws:states:r:1:execution:shard:x", "Name": "x", "Input": '{"batch_id":"b","shard":0}'}
    return {"Error": "States.TaskFailed", "Cause": json.dumps({**named, "Status": status, **told})}


def whole(error: str, cause: str) -> str:
    """Make the cause with which an execution of a shard fails."""
    return json.dumps({"Error": error, "Cause": cause})


LAMBDA = json.dumps({"errorMessage": "out of disk", "errorType": "DiskFull", "stackTrace": ["at line 1"]})


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (described("FAILED", Error="DiskFull", Cause=whole("DiskFull", LAMBDA)), "DiskFull: out of disk"),
        (described("FAILED", Error="Unexpected", Cause=whole("Unexpected", "What?")), "Unexpected: What?"),
        (described("FAILED", Error="States.Runtime", Cause="no such path"), "States.Runtime: no such path"),
        (described("FAILED", Error="DiskFull"), "DiskFull: The execution x ended FAILED."),
        (described("FAILED"), "ExecutionEnded: The execution x ended FAILED."),
        (described("TIMED_OUT", Error="States.Timeout"), "States.Timeout: The execution x ended TIMED_OUT."),
        (described("ABORTED"), "ExecutionEnded: The execution x ended ABORTED."),
        (described("ABORTED", Error="Stopped", Cause="by hand"), "Stopped: by hand"),
        ({"Error": "StepFunctions.ExecutionLimitExceeded", "Cause": "no"}, "StepFunctions.ExecutionLimitExceeded: no"),
        ({"Error": "States.DataLimitExceeded"}, "States.DataLimitExceeded: "),
        ({"Error": "DiskFull", "Cause": LAMBDA}, "DiskFull: out of disk"),
        ({"Error": "Odd", "Cause": "[1]"}, "Odd: [1]"),
        ({}, "Unknown: "),
    ],
)  # fmt: skip
def test_the_reason_names_what_failed_first(error: dict[str, str], told: str) -> None:
    services = planned()
    fail_shard(services, BATCH_ID, 0, error)
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert reason.message == f"Batchyard could not go on: {told}"


def test_the_reason_of_a_failure_that_is_very_long_is_cut() -> None:
    services = planned()
    fail_shard(services, BATCH_ID, 0, described("FAILED", Error="Odd", Cause="x" * 30_000))
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert reason.message.endswith("x" * 500)
    assert len(reason.message) < 600
