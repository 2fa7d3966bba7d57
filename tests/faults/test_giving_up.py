"""What is given up because nothing of ours can go on with it: no answer that the provider was paid for is thrown away."""

from __future__ import annotations

import json

import pytest

from batchyard.recovery.restarts import MOST_RESTARTS
from batchyard.shards.fail import RESTS
from tests.faults.provider import Fate, Trouble, lost
from tests.faults.scene import Scene
from tests.faults.strikes import Strike

TWELVE = [f"r{at}" for at in range(12)]
HALF = Fate("expired", seconds=40_000, share=0.5)
MOMENTS = [
    "create_file before", "create_file after", "create_batch before", "create_batch after", "retrieve_batch after",
    "download_file before",
]  # fmt: skip


def reached(scene: Scene, moment: str) -> None:
    operation, _, when = moment.rpartition(" ")
    scene.play_until(operation, before=when == "before")


def stopped_for_good(scene: Scene) -> None:
    """Stop every execution of the batch that there will be."""
    for _ in range(MOST_RESTARTS + 1):
        scene.abort(0)
        scene.sweep()
    assert not scene.machine.running


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_batch_that_is_stopped_again_and_again_keeps_what_was_answered(scene: Scene, moment: str) -> None:
    scene.provider.fates = [HALF, HALF, HALF]
    batch_id = scene.drop(TWELVE)
    reached(scene, moment)
    stopped_for_good(scene)
    scene.finish()
    record, answered = scene.record(batch_id), len(scene.provider.readable)
    assert record["counts"] == {"total": 12, "completed": answered, "failed": 12 - answered}
    assert record["status"] == ("completed" if scene.provider.made else "failed")


def test_a_batch_of_which_every_shard_runs_keeps_what_each_has_answered(scene: Scene) -> None:
    scene.provider.fates = [HALF, HALF, HALF]
    batch_id = scene.drop(TWELVE)
    while len(scene.provider.made) < 3:
        for number in range(3):
            scene.machine.turn(scene.machine.running[0], number)
    stopped_for_good(scene)
    scene.finish()
    assert scene.record(batch_id)["status"] == "completed"
    assert scene.record(batch_id)["counts"] == {"total": 12, "completed": 6, "failed": 6}


def test_a_batch_whose_results_could_not_be_written_at_first_has_them_in_the_end(scene: Scene) -> None:
    batch_id = scene.drop(TWELVE)
    (execution,) = scene.machine.running
    while execution.ended is None:
        scene.strikes.due = Strike("kill", 3) if execution.next == "assemble" else None
        scene.machine.turn(execution)
    assert execution.ended == "Failed"
    scene.finish()
    assert scene.record(batch_id)["status"] == "completed"
    assert scene.record(batch_id)["counts"] == {"total": 12, "completed": 12, "failed": 0}


def dies(scene: Scene) -> None:
    """Have the first shard's step die at each of its tries."""
    failed, (execution,) = len(scene.machine.failed_shards), scene.machine.running
    while len(scene.machine.failed_shards) == failed:
        its_turn = execution.next == "shards" and 0 in execution.open
        scene.strikes.due = Strike("kill", 0) if its_turn and execution.shards[0].runs else None
        scene.machine.turn(execution, execution.open.index(0) if its_turn else None)
    scene.strikes.due = None


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_shard_whose_step_dies_at_every_try_keeps_what_was_answered(scene: Scene, moment: str) -> None:
    scene.provider.fates = [HALF]
    batch_id = scene.drop(TWELVE)
    reached(scene, moment)
    dies(scene)
    scene.finish()
    assert scene.record(batch_id)["status"] == "completed"
    lost_lines = 12 - len(scene.provider.readable)
    assert scene.record(batch_id)["counts"] == {"total": 12, "completed": 12 - lost_lines, "failed": lost_lines}


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_shard_that_dies_again_while_it_is_given_up_is_tried_again_later(scene: Scene, times: int) -> None:
    scene.provider.fates = [HALF]
    batch_id = scene.drop(TWELVE[:4])
    reached(scene, "create_batch after")
    for _ in range(times):
        dies(scene)
    scene.finish()
    assert scene.record(batch_id)["counts"] == {"total": 4, "completed": 2, "failed": 2}


def test_a_shard_that_dies_whenever_it_is_tried_is_given_up_in_the_end_and_says_where_its_answers_are() -> None:
    scene = Scene(max_requests_per_shard=4)
    scene.provider.fates = [HALF]
    batch_id = scene.drop(TWELVE)
    reached(scene, "create_batch after")
    began = scene.clock.now
    for _ in range(len(RESTS) + 1):
        dies(scene)
    scene.finish()
    assert scene.wrongs() == []
    assert scene.record(batch_id)["counts"]["failed"] == 4
    assert b"pb-0" in (scene.result("errors.jsonl") or b"")
    assert scene.provider.made["pb-0"].batch.status == "cancelled"
    assert len(scene.provider.left()) == 2  # its answers, for whoever wants to fetch them by hand
    assert scene.clock.now - began < 86_400


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_execution_of_a_shard_that_is_stopped_by_hand_costs_no_answer_and_no_sibling(
    scene: Scene, moment: str
) -> None:
    scene.provider.fates = [HALF]
    batch_id = scene.drop(TWELVE)
    reached(scene, moment)
    scene.machine.stop_shard(0)
    scene.finish()
    answered = len(scene.provider.readable)
    assert scene.record(batch_id)["status"] == "completed"
    assert scene.record(batch_id)["counts"] == {"total": 12, "completed": answered, "failed": 12 - answered}
    assert len(scene.machine.executions) == 1
    told = [json.loads(line)["error"]["message"] for line in (scene.result("errors.jsonl") or b"").splitlines()]
    assert told
    assert all("-shard-0-run-1 ended ABORTED" in each for each in told)


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_execution_of_a_shard_that_runs_on_beside_a_fresh_one_harms_nothing(scene: Scene, moment: str) -> None:
    scene.provider.fates = [HALF]
    batch_id = scene.drop(TWELVE)
    reached(scene, moment)
    scene.abort(0, alone=True)
    astray = len(scene.machine.astray)
    assert astray
    scene.sweep()
    scene.finish()
    assert not scene.machine.astray
    assert len(scene.machine.executions) == 2
    assert scene.record(batch_id)["counts"] == {"total": 12, "completed": 12, "failed": 0}
    assert len(scene.provider.made) == 4  # one of them expired with half of its lines


def test_a_shard_that_dies_as_the_answer_to_its_create_is_lost_finds_what_was_made(scene: Scene) -> None:
    scene.provider.fates = [HALF]
    scene.provider.troubles = [Trouble(lost, after=True, operation="create_batch")]
    batch_id = scene.drop(TWELVE[:4])
    reached(scene, "create_batch after")
    dies(scene)
    scene.finish()
    assert len(scene.provider.made) == 1
    assert scene.record(batch_id)["counts"]["completed"] == 2


def test_a_user_cancels_what_is_given_up(scene: Scene) -> None:
    scene.provider.fates = [HALF, HALF, HALF]
    batch_id = scene.drop(TWELVE)
    reached(scene, "create_batch after")
    stopped_for_good(scene)
    scene.cancel()
    scene.finish()
    assert scene.record(batch_id)["status"] == "cancelled"
    assert scene.record(batch_id)["counts"]["completed"] == 2
