"""The sweep on real indexes, listings and executions."""

import boto3

from batchyard.recovery.advance import advance
from batchyard.recovery.sweep import sweep
from tests.fakes.batches import BUCKET
from tests.fakes.endings import answering
from tests.fakes.lines import good, jsonl, request, unrun
from tests.fakes.moto import MACHINE
from tests.fakes.world import World

ONE = jsonl([request("a")])


def executions() -> dict[str, str]:
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=MACHINE)["executions"]
    return {each["name"]: each["status"] for each in listed}


def stop(name: str) -> None:
    arn = f"{MACHINE.replace(':stateMachine:', ':execution:')}:{name}"
    boto3.client("stepfunctions").stop_execution(executionArn=arn)


def at_the_time_of(world: World, key: str) -> None:
    world.clock.now = boto3.client("s3").head_object(Bucket=BUCKET, Key=key)["LastModified"].timestamp() + 60


def test_it_starts_what_was_missed_and_only_that(world: World) -> None:
    known = world.drop(ONE)
    s3 = boto3.client("s3")
    s3.put_object(Bucket=BUCKET, Key="inbox/team/missed.jsonl", Body=ONE)
    s3.put_object(Bucket=BUCKET, Key="inbox/team/", Body=b"")
    at_the_time_of(world, "inbox/team/missed.jsonl")
    assert sweep(world.services) == {"UploadsStarted": 1}
    (missed,) = set(executions()) - {known}
    assert world.services.batch_store.batch(missed).tenant == "team"
    assert sweep(world.services) == {}


def test_an_inbox_of_many_pages_is_walked_from_where_the_last_run_stopped(world: World) -> None:
    for at in range(5):
        boto3.client("s3").put_object(Bucket=BUCKET, Key=f"inbox/team/{at}.jsonl", Body=ONE)
    at_the_time_of(world, "inbox/team/4.jsonl")
    world.services.sweep_store.keep_bookmark("inbox", {"after": "inbox/team/2.jsonl"})
    assert sweep(world.services) == {"UploadsStarted": 2}
    world.clock.now += 300
    assert sweep(world.services) == {"UploadsStarted": 3}


def test_executions_that_run_are_listed_by_name_over_several_pages(world: World) -> None:
    known = {world.drop(jsonl([request(f"r{at}")]), f"inbox/team/{at}.jsonl") for at in range(3)}
    ended = sorted(known)[0]
    stop(ended)
    assert world.services.executions.list_running() == known - {ended}


def test_a_batch_whose_execution_was_stopped_is_started_anew_and_finishes(world: World) -> None:
    batch_id = world.drop(ONE)
    world.run_until_submitted(batch_id)
    stop(batch_id)
    assert sweep(world.services) == {"ExecutionsRestarted": 1}
    assert executions() == {batch_id: "ABORTED", f"{batch_id}-2": "RUNNING"}
    assert sweep(world.services) == {}
    assert world.run(batch_id) == "done"
    assert len(world.provider.batches) == 1
    assert world.services.batch_store.batch(batch_id).restarts == 1


def test_a_batch_that_is_given_up_while_it_runs_has_what_was_answered_as_its_results(world: World) -> None:
    batch_id = world.drop(jsonl([request(each) for each in "abcd"]))
    world.provider.endings = [answering(lambda each: good(each) if each in "ab" else unrun(each), "cancelled")]
    world.provider.polls_before_end = 0  # it has ended before anybody could cancel it
    world.run_until_submitted(batch_id)
    for name in (batch_id, *(f"{batch_id}-{at}" for at in (2, 3, 4))):
        stop(name)
        done = sweep(world.services)
    assert done == {"BatchesGivenUp": 1}
    given_up = world.services.batch_store.batch(batch_id)
    assert (given_up.status, given_up.draining_since) == ("in_progress", world.services.now())
    while not world.services.batch_store.batch(batch_id).ended:
        world.clock.now += 300
        assert sweep(world.services) == {"GivenUpBatchesAdvanced": 1}
        assert world.invoked.pop() == {"batch_id": batch_id, "shard": 0}
        advance(world.services, batch_id, 0)
    ended = world.services.batch_store.batch(batch_id)
    assert (ended.status, ended.counts.completed, ended.counts.failed) == ("completed", 2, 2)
    assert {line["error"]["code"] for line in world.answered(batch_id, "errors.jsonl")} == {"server_error"}


def test_only_batches_that_need_a_look_are_in_the_index(world: World) -> None:
    running, refused = world.drop(ONE), world.drop(ONE, "inbox/default/r.jsonl", **{"completion-window": "soon"})
    assert world.services.sweep_store.unsettled(None) == [running]
    assert world.services.sweep_store.unsettled(running) == []
    assert world.run(running) == "done"
    world.services.sweep_store.settle(running)
    assert world.services.sweep_store.unsettled(None) == []
    assert world.services.batch_store.batch(refused).status == "failed"


def test_a_restart_is_counted_once_however_many_see_the_dead_execution(world: World) -> None:
    batch_id = world.drop(ONE)
    assert [world.services.sweep_store.restart(batch_id, 0) for _ in range(2)] == [True, False]
