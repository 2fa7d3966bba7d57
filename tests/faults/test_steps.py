"""What may become of our own steps: killed, overtaken, delivered again, late, out of order; and of a batch's user and input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from batchyard.results.assemble import assemble
from tests.fakes.failures import lost
from tests.faults.provider import Fate, Trouble
from tests.faults.strikes import Strike, some
from tests.faults.struck import StruckWorld

if TYPE_CHECKING:
    from collections.abc import Callable

SIX = [f"r{at}" for at in range(6)]
INBOX = "inbox/default/0.jsonl"
FIRST = Fate("expired", share=0.5, lines={"r0": "refused", "r1": "unavailable"})


def effects_of_a_run() -> int:
    world = StruckWorld(max_requests_per_shard=4)
    world.provider.fates = [FIRST]
    world.upload(SIX)
    world.finish()
    return world.strikes.count


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_step_is_struck_at_any_call_it_makes_to_aws(kind: str, *, after: bool) -> None:
    for at in some(range(effects_of_a_run()), kind, after=after, every=2):
        world = StruckWorld(max_requests_per_shard=4)
        world.provider.fates = [FIRST]
        world.strikes.due = Strike(kind, at, after)
        batch_id = world.upload(SIX)
        world.finish(calm=False)
        assert world.wrongs() == [], f"at effect {at}: {world.strikes.struck}"
        assert world.record(batch_id)["status"] == "completed"
        refused = len(world.provider.refused)  # none if another shard met that fate
        assert world.record(batch_id)["counts"] == {"total": 6, "completed": 6 - refused, "failed": refused}


def test_every_step_is_delivered_again_after_the_end(world: StruckWorld) -> None:
    batch_id = world.upload(SIX)
    world.finish()
    before = world.first_result("output.jsonl"), world.record(batch_id), len(world.provider.made)
    for at in range(len(world.machine.payloads)):
        world.machine.replay(at)
    for step in (plan, assemble):
        world.machine.deliver(lambda step=step: step(world.services, batch_id))  # type: ignore[misc]
    assert (world.first_result("output.jsonl"), world.record(batch_id), len(world.provider.made)) == before


def test_every_step_is_delivered_twice(world: StruckWorld) -> None:
    world.upload(SIX)
    while world.machine.running:
        for execution in world.machine.running:
            world.machine.turn(execution)
            world.machine.replay(-1)
    assert len(world.provider.made) == 2


def test_the_notice_of_an_upload_comes_ten_times_and_the_sweep_finds_it_too(world: StruckWorld) -> None:
    batch_id = world.upload(SIX)
    for _ in range(5):
        assert world.notice(INBOX) == batch_id
        world.machine.deliver(lambda: sweep(world.services))
    world.finish()
    assert world.notice(INBOX) == batch_id
    world.finish()
    assert len(world.machine.executions) == 1
    assert len(world.provider.made) == 2


def cancelled_at(moment: str) -> Callable[[StruckWorld], None]:
    def play(world: StruckWorld) -> None:
        if moment == "before the plan":
            return
        if moment == "after the plan":
            world.machine.turn(world.machine.running[0])
            return
        operation, _, when = moment.rpartition(" ")
        world.play_until(operation, before=when == "before")

    return play


MOMENTS = [
    "before the plan", "after the plan", "create_file before", "create_file after", "create_batch before", "create_batch after",
    "retrieve_batch after", "download_file before", "download_file after",
]  # fmt: skip


@pytest.mark.parametrize("told", [True, False], ids=["the provider is told", "only the poll sees to it"])
@pytest.mark.parametrize("finishes", [True, False], ids=["the provider finishes first", "the provider cancels"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_user_cancels(world: StruckWorld, moment: str, *, finishes: bool, told: bool) -> None:
    world.provider.fates = [Fate(share=0.5, cancel_finishes=finishes) for _ in range(2)]
    batch_id = world.upload(SIX)
    cancelled_at(moment)(world)
    world.cancel()
    world.cancel()
    if not told:
        world.machine.cancels.clear()
    world.finish()
    record = world.record(batch_id)
    assert record["status"] == "cancelled"
    assert record["cancelled_at"] >= record["cancelling_at"]
    assert len(world.provider.made) <= 2


def test_the_user_cancels_what_has_ended(world: StruckWorld) -> None:
    batch_id = world.upload(SIX)
    world.finish()
    world.cancel()
    world.finish()
    assert world.record(batch_id)["status"] == "completed"


def test_a_shard_that_cannot_go_on_leaves_its_siblings_alone(world: StruckWorld) -> None:
    world.provider.fates = [Fate("expired", seconds=40_000, share=0.0)]
    batch_id = world.upload(SIX)
    world.play_until("create_batch")
    for _ in range(4):
        world.strikes.due = Strike("kill", 0)
        world.machine.turn(world.machine.running[0], 0)
    world.finish()
    assert world.machine.failed_shards
    assert world.record(batch_id)["status"] == "completed"
    assert world.record(batch_id)["counts"] == {"total": 6, "completed": 2, "failed": 4}


def test_two_batches_use_the_same_ids_at_the_same_provider(world: StruckWorld) -> None:
    first = world.upload([f"a{at}" for at in range(6)])
    second = world.upload([f"b{at}" for at in range(6)])
    world.provider.troubles = [Trouble(lost, after=True, operation="create_batch")] * 2
    world.finish(calm=False)
    assert {world.record(each)["status"] for each in (first, second)} == {"completed"}
    assert len(world.provider.made) == 4


@pytest.mark.parametrize("seconds", [-200, 200])
def test_the_providers_clock_is_not_ours(world: StruckWorld, seconds: int) -> None:
    world.provider.clock = lambda: world.clock() + seconds
    world.provider.troubles = [Trouble(lost, after=True, operation="create_batch")]
    world.upload(SIX[:4])
    world.finish(calm=False)
    assert len(world.provider.made) == 1


@pytest.mark.parametrize("change", ["deleted", "replaced"])
def test_the_input_goes_while_the_batch_runs(change: str) -> None:
    world = StruckWorld()
    batch_id = world.upload(SIX)
    world.machine.turn(world.machine.running[0])
    if change == "deleted":
        del world.memory.bucket.stored[INBOX]
    else:
        world.memory.bucket.stored[INBOX] += b" "
    world.finish()
    assert world.record(batch_id)["status"] == "failed"
    assert world.record(batch_id)["errors"][0]["message"]
    assert len(world.provider.made) == 0
