"""What may become of our own steps: killed, overtaken, delivered again, late, out of order; and of a batch's user and input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from batchyard.results.assemble import assemble
from tests.faults.provider import Fate, Trouble, lost
from tests.faults.scene import Scene
from tests.faults.strikes import Strike

if TYPE_CHECKING:
    from collections.abc import Callable

SIX = [f"r{at}" for at in range(6)]
INBOX = "inbox/default/0.jsonl"
FIRST = Fate("expired", share=0.5, lines={"r0": "refused", "r1": "unavailable"})


def effects_of_a_run() -> int:
    scene = Scene(max_requests_per_shard=4)
    scene.provider.fates = [FIRST]
    scene.drop(SIX)
    scene.finish()
    return scene.strikes.count


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_step_is_struck_at_any_call_it_makes_to_aws(kind: str, *, after: bool) -> None:
    for at in range(effects_of_a_run()):
        scene = Scene(max_requests_per_shard=4)
        scene.provider.fates = [FIRST]
        scene.strikes.due = Strike(kind, at, after)
        batch_id = scene.drop(SIX)
        scene.finish(calm=False)
        assert scene.wrongs() == [], f"at effect {at}: {scene.strikes.struck}"
        assert scene.record(batch_id)["status"] == "completed"
        refused = len(scene.provider.refused)  # none if another shard met that fate
        assert scene.record(batch_id)["counts"] == {"total": 6, "completed": 6 - refused, "failed": refused}


def test_every_step_is_delivered_again_after_the_end(scene: Scene) -> None:
    batch_id = scene.drop(SIX)
    scene.finish()
    before = scene.result("output.jsonl"), scene.record(batch_id), len(scene.provider.made)
    for at in range(len(scene.machine.payloads)):
        scene.machine.replay(at)
    for step in (plan, assemble):
        scene.machine.deliver(lambda step=step: step(scene.services, batch_id))  # type: ignore[misc]
    assert (scene.result("output.jsonl"), scene.record(batch_id), len(scene.provider.made)) == before


def test_every_step_is_delivered_twice(scene: Scene) -> None:
    scene.drop(SIX)
    while scene.machine.running:
        for execution in scene.machine.running:
            scene.machine.turn(execution)
            scene.machine.replay(-1)
    assert len(scene.provider.made) == 2


def test_the_notice_of_an_upload_comes_ten_times_and_the_sweep_finds_it_too(scene: Scene) -> None:
    batch_id = scene.drop(SIX)
    for _ in range(5):
        assert scene.notice(INBOX) == batch_id
        scene.machine.deliver(lambda: sweep(scene.services))
    scene.finish()
    assert scene.notice(INBOX) == batch_id
    scene.finish()
    assert len(scene.machine.executions) == 1
    assert len(scene.provider.made) == 2


def cancelled_at(moment: str) -> Callable[[Scene], None]:
    def play(scene: Scene) -> None:
        if moment == "before the plan":
            return
        if moment == "after the plan":
            scene.machine.turn(scene.machine.running[0])
            return
        operation, _, when = moment.rpartition(" ")
        scene.play_until(operation, before=when == "before")

    return play


MOMENTS = [
    "before the plan", "after the plan", "create_file before", "create_file after", "create_batch before", "create_batch after",
    "retrieve_batch after", "download_file before", "download_file after",
]  # fmt: skip


@pytest.mark.parametrize("told", [True, False], ids=["the provider is told", "only the poll sees to it"])
@pytest.mark.parametrize("finishes", [True, False], ids=["the provider finishes first", "the provider cancels"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_user_cancels(scene: Scene, moment: str, *, finishes: bool, told: bool) -> None:
    scene.provider.fates = [Fate(share=0.5, cancel_finishes=finishes) for _ in range(2)]
    batch_id = scene.drop(SIX)
    cancelled_at(moment)(scene)
    scene.cancel()
    scene.cancel()
    if not told:
        scene.machine.cancels.clear()
    scene.finish()
    record = scene.record(batch_id)
    assert record["status"] == "cancelled"
    assert record["cancelled_at"] >= record["cancelling_at"]
    assert len(scene.provider.made) <= 2


def test_the_user_cancels_what_has_ended(scene: Scene) -> None:
    batch_id = scene.drop(SIX)
    scene.finish()
    scene.cancel()
    scene.finish()
    assert scene.record(batch_id)["status"] == "completed"


def test_a_shard_that_cannot_go_on_leaves_its_siblings_alone(scene: Scene) -> None:
    scene.provider.fates = [Fate("expired", seconds=40_000, share=0.0)]
    batch_id = scene.drop(SIX)
    scene.play_until("create_batch")
    for _ in range(4):
        scene.strikes.due = Strike("kill", 0)
        scene.machine.turn(scene.machine.running[0], 0)
    scene.finish()
    assert scene.machine.failed_shards
    assert scene.record(batch_id)["status"] == "completed"
    assert scene.record(batch_id)["counts"] == {"total": 6, "completed": 2, "failed": 4}


def test_two_batches_use_the_same_ids_at_the_same_provider(scene: Scene) -> None:
    first = scene.drop([f"a{at}" for at in range(6)])
    second = scene.drop([f"b{at}" for at in range(6)])
    scene.provider.troubles = [Trouble(lost, after=True, operation="create_batch")] * 2
    scene.finish(calm=False)
    assert {scene.record(each)["status"] for each in (first, second)} == {"completed"}
    assert len(scene.provider.made) == 4


@pytest.mark.parametrize("seconds", [-200, 200])
def test_the_providers_clock_is_not_ours(scene: Scene, seconds: int) -> None:
    scene.provider.clock = lambda: scene.clock() + seconds
    scene.provider.troubles = [Trouble(lost, after=True, operation="create_batch")]
    scene.drop(SIX[:4])
    scene.finish(calm=False)
    assert len(scene.provider.made) == 1


@pytest.mark.parametrize("change", ["deleted", "replaced"])
def test_the_input_goes_while_the_batch_runs(change: str) -> None:
    scene = Scene()
    batch_id = scene.drop(SIX)
    scene.machine.turn(scene.machine.running[0])
    if change == "deleted":
        del scene.memory.bucket.stored[INBOX]
    else:
        scene.memory.bucket.stored[INBOX] += b" "
    scene.finish()
    assert scene.record(batch_id)["status"] == "failed"
    assert scene.record(batch_id)["errors"][0]["message"]
    assert len(scene.provider.made) == 0
