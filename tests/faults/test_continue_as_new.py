"""Work that is put down and gone on with, and batches beside each other: nothing is lost between two hands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.inputs import SORTS
from tests.faults.provider import Fate
from tests.faults.struck import StruckWorld

if TYPE_CHECKING:
    from collections.abc import Callable

TWELVE = [f"r{at}" for at in range(12)]
OTHERS = [f"s{at}" for at in range(6)]
BAD = {at: SORTS[at % len(SORTS)] for at in range(1, 12, 2)}
FATES = [Fate("expired", share=0.5, lines={"r0": "refused"}), Fate(lines={"r5": "unavailable", "r6": "missing"})]


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_plan_and_assemble_are_out_of_time_again_and_again(world: StruckWorld, looks: int) -> None:
    world.memory.bucket.chunk = 200
    world.provider.fates = list(FATES)
    world.machine.short = list(range(looks, 60))  # more by and by: one run must fit what is not parted
    batch_id = world.upload(TWELVE, 2, BAD)
    world.finish()
    assert world.machine.out_of_time >= 5
    assert world.record(batch_id)["counts"] == {"total": 17, "completed": 11, "failed": 6}
    assert world.memory.event_bus.announced.count("finalizing") == 1


@pytest.mark.parametrize("every", [3, 4, 7])
def test_shards_go_from_one_execution_to_the_next(world: StruckWorld, every: int) -> None:
    world.provider.fates = list(FATES)
    batch_id = world.upload(TWELVE)
    while world.machine.running:
        for execution in world.machine.running:
            world.machine.turn(execution)
        if world.machine.turns % every == 0 and world.machine.turns < 60:
            world.machine.tire(world.machine.turns)
    world.finish()
    assert world.log().count("continuing as new") >= 3
    assert world.record(batch_id)["counts"] == {"total": 12, "completed": 11, "failed": 1}


def test_lines_set_aside_stand_among_those_the_provider_refused(world: StruckWorld) -> None:
    world.provider.fates = list(FATES)
    world.upload(TWELVE, 2, BAD)
    world.finish()
    skipped = [
        line
        for line in map(json.loads, (world.first_result("errors.jsonl") or b"").splitlines())
        if not line["response"]
    ]
    assert [line["error"]["line"] for line in skipped] == [number for number, _, _ in world.cases[0].skipped]
    assert len(skipped) == 5


def test_the_checker_misses_a_line_set_aside_that_is_lost_moved_or_told_otherwise(world: StruckWorld) -> None:
    batch_id = world.upload(TWELVE, 1, BAD)
    world.finish()
    assert world.wrongs() == []
    key = f"results/default/{batch_id}/errors.jsonl"
    whole = world.memory.bucket.stored[key]
    lines = whole.splitlines(keepends=True)
    for wrong in (lines[1:], [*lines[1:], lines[0]], [lines[0].replace(b'line":', b'line":1'), *lines[1:]]):
        world.memory.bucket.stored[key] = b"".join(wrong)
        assert any("skipped" in each for each in world.wrongs())
    world.memory.bucket.stored[key] = whole


@pytest.mark.parametrize("bad", [{}, BAD], ids=["all good", "some bad"])
def test_a_dry_run_sends_nothing_while_another_batch_runs(world: StruckWorld, bad: dict[int, str]) -> None:
    world.upload(TWELVE)
    dry = world.upload(OTHERS, 2, {at: sort for at, sort in bad.items() if at < len(OTHERS)}, dry_run=True)
    world.finish()
    assert world.record(dry)["status"] == "completed"
    assert not any(world.provider.sent[each] for each in OTHERS)


@pytest.mark.parametrize("room", [60, 120, 200])
def test_two_batches_share_the_room_of_a_model(room: int) -> None:
    world = StruckWorld(max_requests_per_shard=4)
    world.provider.token_limit = room
    ids = [world.upload(TWELVE), world.upload(OTHERS)]
    world.finish()
    assert world.wrongs() == []
    assert [world.record(batch_id)["counts"]["completed"] for batch_id in ids] == [12, 6]
    assert world.provider.refused_for_tokens >= 1
    assert world.provider.most_queued <= room


@pytest.mark.parametrize("finishes", [False, True], ids=["cancelled", "finished after all"])
def test_a_provider_batch_is_taken_back_near_the_end_of_its_window(finishes: bool) -> None:
    world = StruckWorld(max_requests_per_shard=4, deadline_action="resubmit")
    world.provider.fates = [Fate("expired", seconds=86_400, share=0.6, cancel_finishes=finishes) for _ in range(2)]
    batch_id = world.upload(TWELVE)
    world.finish()
    assert world.wrongs() == []
    assert world.record(batch_id)["counts"]["completed"] == 12
    assert [made.status for made in world.provider.batches.values()][:2] == [
        "completed" if finishes else "cancelled"
    ] * 2


def lose_everything(world: StruckWorld) -> None:
    world.provider.fates = [Fate(lines=dict.fromkeys(TWELVE, "missing")) for _ in range(60)]


def give_up_nothing(world: StruckWorld) -> None:
    world.provider.fates = []


@pytest.mark.parametrize(("befalls", "completed"), [(lose_everything, 0), (give_up_nothing, 12)])
def test_a_shard_in_waves_ends(befalls: Callable[[Any], None], completed: int) -> None:
    world = StruckWorld(max_requests_per_shard=4)
    world.provider.token_limit = 60
    befalls(world)
    batch_id = world.upload(TWELVE)
    world.finish()
    assert world.wrongs() == []
    assert world.record(batch_id)["counts"]["completed"] == completed
