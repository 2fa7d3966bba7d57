"""What is given up because nothing of ours can go on with it: no answer that the provider was paid for is thrown away."""

from __future__ import annotations

import json

import pytest

from batchyard.recovery.dead_executions import MOST_RESTARTS
from batchyard.shards.fail import RESTS
from tests.fakes.failures import lost
from tests.faults.provider import Fate, Trouble
from tests.faults.strikes import Strike
from tests.faults.struck import StruckWorld

TWELVE = [f"r{at}" for at in range(12)]
HALF = Fate("expired", seconds=40_000, share=0.5)
MOMENTS = [
    "create_file before", "create_file after", "create_batch before", "create_batch after", "retrieve_batch after",
    "download_file before",
]  # fmt: skip


def reached(world: StruckWorld, moment: str) -> None:
    operation, _, when = moment.rpartition(" ")
    world.play_until(operation, before=when == "before")


def stopped_for_good(world: StruckWorld) -> None:
    """Stop every execution of the batch that there will be."""
    for _ in range(MOST_RESTARTS + 1):
        world.abort(0)
        world.sweep()
    assert not world.machine.running


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_batch_that_is_stopped_again_and_again_keeps_what_was_answered(world: StruckWorld, moment: str) -> None:
    world.provider.fates = [HALF, HALF, HALF]
    batch_id = world.upload(TWELVE)
    reached(world, moment)
    stopped_for_good(world)
    world.finish()
    record, answered = world.record(batch_id), len(world.provider.readable)
    assert record["counts"] == {"total": 12, "completed": answered, "failed": 12 - answered}
    assert record["status"] == ("completed" if world.provider.made else "failed")


def test_a_batch_of_which_every_shard_runs_keeps_what_each_has_answered(world: StruckWorld) -> None:
    world.provider.fates = [HALF, HALF, HALF]
    batch_id = world.upload(TWELVE)
    while len(world.provider.made) < 3:
        for number in range(3):
            world.machine.turn(world.machine.running[0], number)
    stopped_for_good(world)
    world.finish()
    assert world.record(batch_id)["status"] == "completed"
    assert world.record(batch_id)["counts"] == {"total": 12, "completed": 6, "failed": 6}


def test_a_batch_whose_results_could_not_be_written_at_first_has_them_in_the_end(world: StruckWorld) -> None:
    batch_id = world.upload(TWELVE)
    (execution,) = world.machine.running
    while execution.ended is None:
        world.strikes.due = Strike("kill", 3) if execution.next == "assemble" else None
        world.machine.turn(execution)
    assert execution.ended == "Failed"
    world.finish()
    assert world.record(batch_id)["status"] == "completed"
    assert world.record(batch_id)["counts"] == {"total": 12, "completed": 12, "failed": 0}


def dies(world: StruckWorld) -> None:
    """Have the first shard's step die at each of its tries."""
    failed, (execution,) = len(world.machine.failed_shards), world.machine.running
    while len(world.machine.failed_shards) == failed:
        its_turn = execution.next == "shards" and 0 in execution.open
        world.strikes.due = Strike("kill", 0) if its_turn and execution.shards[0].runs else None
        world.machine.turn(execution, execution.open.index(0) if its_turn else None)
    world.strikes.due = None


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_shard_whose_step_dies_at_every_try_keeps_what_was_answered(world: StruckWorld, moment: str) -> None:
    world.provider.fates = [HALF]
    batch_id = world.upload(TWELVE)
    reached(world, moment)
    dies(world)
    world.finish()
    assert world.record(batch_id)["status"] == "completed"
    lost_lines = 12 - len(world.provider.readable)
    assert world.record(batch_id)["counts"] == {"total": 12, "completed": 12 - lost_lines, "failed": lost_lines}


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_shard_that_dies_again_while_it_is_given_up_is_tried_again_later(world: StruckWorld, times: int) -> None:
    world.provider.fates = [HALF]
    batch_id = world.upload(TWELVE[:4])
    reached(world, "create_batch after")
    for _ in range(times):
        dies(world)
    world.finish()
    assert world.record(batch_id)["counts"] == {"total": 4, "completed": 2, "failed": 2}


def test_a_shard_that_dies_whenever_it_is_tried_is_given_up_in_the_end_and_says_where_its_answers_are() -> None:
    world = StruckWorld(max_requests_per_shard=4)
    world.provider.fates = [HALF]
    batch_id = world.upload(TWELVE)
    reached(world, "create_batch after")
    began = world.clock.now
    for _ in range(len(RESTS) + 1):
        dies(world)
    world.finish()
    assert world.wrongs() == []
    assert world.record(batch_id)["counts"]["failed"] == 4
    assert b"pb-0" in (world.first_result("errors.jsonl") or b"")
    assert world.provider.batches["pb-0"].status == "cancelled"
    assert len(world.provider.left()) == 2  # its answers, for whoever wants to fetch them by hand
    assert world.clock.now - began < 86_400


def test_a_shard_that_dies_as_the_answer_to_its_create_is_lost_finds_what_was_made(world: StruckWorld) -> None:
    world.provider.fates = [HALF]
    world.provider.troubles = [Trouble(lost, after=True, operation="create_batch")]
    batch_id = world.upload(TWELVE[:4])
    reached(world, "create_batch after")
    dies(world)
    world.finish()
    assert len(world.provider.made) == 1
    assert world.record(batch_id)["counts"]["completed"] == 2


def test_a_user_cancels_what_is_given_up(world: StruckWorld) -> None:
    world.provider.fates = [HALF, HALF, HALF]
    batch_id = world.upload(TWELVE)
    reached(world, "create_batch after")
    stopped_for_good(world)
    world.cancel()
    world.finish()
    assert world.record(batch_id)["status"] == "cancelled"
    assert world.record(batch_id)["counts"]["completed"] == 2


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_execution_of_a_shard_that_is_stopped_by_hand_costs_no_answer_and_no_sibling(
    world: StruckWorld, moment: str
) -> None:
    world.provider.fates = [HALF]
    batch_id = world.upload(TWELVE)
    reached(world, moment)
    world.machine.stop_shard(0)
    world.finish()
    answered = len(world.provider.readable)
    assert world.record(batch_id)["status"] == "completed"
    assert world.record(batch_id)["counts"] == {"total": 12, "completed": answered, "failed": 12 - answered}
    assert len(world.machine.executions) == 1
    told = [json.loads(line)["error"]["message"] for line in (world.first_result("errors.jsonl") or b"").splitlines()]
    assert told
    assert all("-shard-0-run-1 ended ABORTED" in each for each in told)


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_execution_of_a_shard_that_runs_on_beside_a_fresh_one_harms_nothing(world: StruckWorld, moment: str) -> None:
    world.provider.fates = [HALF]
    batch_id = world.upload(TWELVE)
    reached(world, moment)
    world.abort(0, alone=True)
    astray = len(world.machine.astray)
    assert astray
    world.sweep()
    world.finish()
    assert not world.machine.astray
    assert len(world.machine.executions) == 2
    assert world.record(batch_id)["counts"] == {"total": 12, "completed": 12, "failed": 0}
    assert len(world.provider.made) == 4  # one of them expired with half of its lines
