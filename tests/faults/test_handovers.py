"""Work that is put down and gone on with, and batches beside each other: nothing is lost between two hands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.inputs import SORTS
from tests.faults.provider import Fate
from tests.faults.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable

TWELVE = [f"r{at}" for at in range(12)]
OTHERS = [f"s{at}" for at in range(6)]
BAD = {at: SORTS[at % len(SORTS)] for at in range(1, 12, 2)}
FATES = [Fate("expired", share=0.5, lines={"r0": "refused"}), Fate(lines={"r5": "unavailable", "r6": "missing"})]


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_plan_and_assemble_are_out_of_time_again_and_again(scene: Scene, looks: int) -> None:
    scene.memory.fake_bucket.chunk = 300
    scene.provider.fates = list(FATES)
    scene.machine.short = list(range(looks, 60))  # more by and by: one run must fit what is not parted
    batch_id = scene.drop(TWELVE, 2, BAD)
    scene.finish()
    assert scene.machine.handed_over >= 5
    assert scene.record(batch_id)["counts"] == {"total": 17, "completed": 11, "failed": 6}
    assert scene.memory.bus.announced.count("finalizing") == 1


@pytest.mark.parametrize("every", [3, 4, 7])
def test_shards_go_from_one_execution_to_the_next(scene: Scene, every: int) -> None:
    scene.provider.fates = list(FATES)
    batch_id = scene.drop(TWELVE)
    while scene.machine.running:
        for execution in scene.machine.running:
            scene.machine.turn(execution)
        if scene.machine.turns % every == 0 and scene.machine.turns < 60:
            scene.machine.tire(scene.machine.turns)
    scene.finish()
    assert scene.log().count("continuing as new") >= 3
    assert scene.record(batch_id)["counts"] == {"total": 12, "completed": 11, "failed": 1}


def test_lines_set_aside_stand_among_those_the_provider_refused(scene: Scene) -> None:
    scene.provider.fates = list(FATES)
    scene.drop(TWELVE, 2, BAD)
    scene.finish()
    asides = [
        line for line in map(json.loads, (scene.result("errors.jsonl") or b"").splitlines()) if not line["response"]
    ]
    assert [line["error"]["line"] for line in asides] == [number for number, _, _ in scene.cases[0].asides]
    assert len(asides) == 5


def test_the_checker_misses_a_line_set_aside_that_is_lost_moved_or_told_otherwise(scene: Scene) -> None:
    batch_id = scene.drop(TWELVE, 1, BAD)
    scene.finish()
    assert scene.wrongs() == []
    key = f"results/default/{batch_id}/errors.jsonl"
    whole = scene.memory.fake_bucket.stored[key]
    lines = whole.splitlines(keepends=True)
    for wrong in (lines[1:], [*lines[1:], lines[0]], [lines[0].replace(b'line":', b'line":1'), *lines[1:]]):
        scene.memory.fake_bucket.stored[key] = b"".join(wrong)
        assert any("set aside" in each for each in scene.wrongs())
    scene.memory.fake_bucket.stored[key] = whole


@pytest.mark.parametrize("bad", [{}, BAD], ids=["all good", "some bad"])
def test_a_dry_run_sends_nothing_while_another_batch_runs(scene: Scene, bad: dict[int, str]) -> None:
    scene.drop(TWELVE)
    dry = scene.drop(OTHERS, 2, {at: sort for at, sort in bad.items() if at < len(OTHERS)}, dry_run=True)
    scene.finish()
    assert scene.record(dry)["status"] == "completed"
    assert not any(scene.provider.sent[each] for each in OTHERS)


@pytest.mark.parametrize("room", [60, 120, 200])
def test_two_batches_share_the_room_of_a_model(room: int) -> None:
    scene = Scene(max_requests_per_shard=4)
    scene.provider.token_limit = room
    ids = [scene.drop(TWELVE), scene.drop(OTHERS)]
    scene.finish()
    assert scene.wrongs() == []
    assert [scene.record(batch_id)["counts"]["completed"] for batch_id in ids] == [12, 6]
    assert scene.provider.refused_for_tokens >= 1
    assert scene.provider.most_queued <= room


@pytest.mark.parametrize("finishes", [False, True], ids=["cancelled", "finished after all"])
def test_a_provider_batch_is_taken_back_near_the_end_of_its_window(finishes: bool) -> None:
    scene = Scene(max_requests_per_shard=4, deadline_action="resubmit")
    scene.provider.fates = [Fate("expired", seconds=86_400, share=0.6, cancel_finishes=finishes) for _ in range(2)]
    batch_id = scene.drop(TWELVE)
    scene.finish()
    assert scene.wrongs() == []
    assert scene.record(batch_id)["counts"]["completed"] == 12
    assert [made.batch.status for made in scene.provider.made.values()][:2] == [
        "completed" if finishes else "cancelled"
    ] * 2


def lose_everything(scene: Scene) -> None:
    scene.provider.fates = [Fate(lines=dict.fromkeys(TWELVE, "missing")) for _ in range(60)]


def give_up_nothing(scene: Scene) -> None:
    scene.provider.fates = []


@pytest.mark.parametrize(("befalls", "completed"), [(lose_everything, 0), (give_up_nothing, 12)])
def test_a_shard_in_waves_ends(befalls: Callable[[Any], None], completed: int) -> None:
    scene = Scene(max_requests_per_shard=4)
    scene.provider.token_limit = 60
    befalls(scene)
    batch_id = scene.drop(TWELVE)
    scene.finish()
    assert scene.wrongs() == []
    assert scene.record(batch_id)["counts"]["completed"] == completed
