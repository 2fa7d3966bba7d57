"""Firings of a gather folder: struck at any effect, fired twice and late, and files that come while all that goes on."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from batchyard.api.batches import cancel_batch
from batchyard.domain.errors import StoreError
from batchyard.domain.step import OutOfTime
from batchyard.gathering import fire
from batchyard.planning.plan import plan
from tests.fakes.lines import jsonl, request
from tests.faults.gathered import FOLDER, RUN, GatherWorld
from tests.faults.plays import PlayWorld
from tests.faults.provider import Fate
from tests.faults.strikes import Killed, Strike, some

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {"a": 3, "b": 1, "c": 2, "d": 4}
FIRST = Fate("expired", share=0.5, lines={"a-1": "refused", "b-0": "unavailable"})


def world() -> GatherWorld:
    made = GatherWorld(max_requests_per_shard=4)
    made.provider.fates = [FIRST]
    for name, lines in FILES.items():
        made.come(name, lines)
    return made


def effects_of_a_run() -> int:
    played = world()
    played.fire(1)
    assert played.end() == []
    return played.strikes.count


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_firing_and_its_batch_are_struck_at_any_effect(kind: str, *, after: bool) -> None:
    for at in some(range(effects_of_a_run()), kind, after=after, every=12):
        played = world()
        played.strikes.due = Strike(kind, at, after)
        played.fire(1)
        assert played.end() == [], f"at effect {at}: {played.strikes.struck}"
        assert len(played.gathered()) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_files_without_requests_are_one_completed_batch_whatever_is_struck(kind: str, *, after: bool) -> None:
    """They are not free again, else each firing would make one more batch of them."""
    for at in range(after, 200, 9):
        played = GatherWorld()
        for name in FILES:
            played.come(name, 0)
        played.strikes.due = Strike(kind, at, after)
        played.fire(1)
        assert played.end() == [], f"at effect {at}: {played.strikes.struck}"
        played.fire(2)
        assert played.end() == []
        ((batch_id, names),) = played.gathered().items()
        assert (names, played.provider.batches) == (sorted(FILES), {})
        assert played.memory.batch_store.batches[batch_id].status == "completed"
        if not played.strikes.struck:
            break
    assert at > 30


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_a_firing_whose_process_dies_anywhere_is_ended_by_the_sweep(*, after: bool) -> None:
    """Its event does not come again: a process dies between firing and claim, claim and record, record and start."""
    whole = world()
    whole.fire(1, once=True)
    assert whole.strikes.count > 10
    for at in range(after, whole.strikes.count, 2):
        played = world()
        played.strikes.due = Strike("kill", at, after)
        played.fire(1, once=True)
        assert played.end() == [], f"at effect {at}: {played.strikes.struck}"
        assert len(played.gathered()) == 1


@pytest.mark.parametrize("at", range(0, 22, 2))
def test_two_firings_at_once_share_the_files(at: int) -> None:
    played = world()

    def firing() -> None:
        played.strikes.step = lambda: played.strike_clock("clock")
        played.heard(1)

    played.backing.put(RUN, b"", {})
    played.strikes.due = Strike("overtake", at)
    played.machine.deliver(firing)
    assert played.end() == []
    assert sorted(name for names in played.gathered().values() for name in names) == sorted(FILES)


@pytest.mark.parametrize("at", range(0, 22, 3))
def test_a_firing_that_comes_twice_at_once_takes_the_same_files_though_one_more_comes_between(at: int) -> None:
    """The second process may die between its claims and the record, or at any other of its effects."""
    effects = _fire_twice_at_once(at, None)
    assert effects > 1
    for dies in range(at % 4, effects, 4):
        _fire_twice_at_once(at, dies)


def _fire_twice_at_once(at: int, dies: int | None) -> int:
    """Let the second process come at an effect of the first and perhaps die; return how many effects the second has."""
    played, counts = world(), list[int]()

    def again() -> None:
        played.come("between", 2)
        first, played.strikes.due = played.strikes.count, Strike("kill", dies) if dies is not None else None
        played.machine.once(lambda: played.heard(1))
        counts.append(played.strikes.count - first)

    def firing() -> None:
        played.strikes.step = again
        played.heard(1)

    played.backing.put(RUN, b"", {})
    played.strikes.due = Strike("overtake", at)
    played.machine.deliver(firing)
    played.strike_clock("later")
    assert played.end() == []
    return counts[0]


def test_a_firing_that_is_heard_again_after_all_has_ended_changes_nothing() -> None:
    played = world()
    played.fire(1)
    assert played.end() == []
    played.come("late", 2)
    played.heard(1)
    assert [sorted(names) for names in played.gathered().values()] == [sorted(FILES)]
    played.fire(2)
    assert played.end() == []
    assert [sorted(names) for names in played.gathered().values()] == [sorted(FILES), ["late"]]


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_files_that_come_while_a_batch_is_planned_belong_to_the_next_firing(turns: int) -> None:
    """Plan runs out of time again and again; a file that is replaced is read as it was gathered."""
    played = PlayWorld()
    for name in "abc":
        played.arrive(name, 3, "good")
    played.bucket.chunk, played.machine.short = 300, [0, 0, 0]
    played.machine.deliver(played.means("RUN", "refuse"))
    played.turn(0, turns)
    assert [each.status for each in played.of_folder()] == ["validating"]
    played.arrive("b", 2, "broken")
    played.arrive("d", 1, "good")
    played.remove(0)
    played.to_the_end()
    assert played.machine.out_of_time > 0
    assert played.close() == []
    first, second = map(played.versions, played.of_folder())
    assert first == [("a", "v1"), ("b", "v1"), ("c", "v1")]
    assert sorted(second) == [("b", "v2"), ("d", "v1"), ("last", "v1")]


def test_files_are_planned_in_memory_that_their_bytes_do_not_fill() -> None:
    played, lines = GatherWorld(), jsonl([request("the one line", prompt="x" * 50_000)])
    for at in range(400):
        played.memory.bucket.put(f"{FOLDER}{at}", lines)
    batch = fire.fire(played.memory, "default", "f", "memory")
    assert batch is not None
    tracemalloc.start()
    try:
        plan(played.memory, batch.batch_id)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert batch.input.size > 20_000_000
    assert peak < 4_000_000


def test_ten_thousand_files_of_one_line_are_one_batch_though_a_process_dies_amid_its_claims() -> None:
    played = GatherWorld()
    for at in range(10_000):
        played.come(f"{at:05}", 1)
    played.strikes.due = Strike("kill", 600)
    played.fire(1)
    played.finish()
    ((batch_id, names),) = played.gathered().items()
    assert names == sorted(played.came)
    assert len(played.provider.batches) == 1
    for name in names[::50]:
        told = json.loads(played.found(f"results/default/{batch_id}/files/{name}/output.jsonl") or b"")
        assert told["custom_id"] == f"{name}-0"
    report = json.loads(played.found(f"results/default/{batch_id}/report.json") or b"")
    assert (report["files_total"], report["files"]) == (10_000, None)
    listed = [json.loads(line) for line in (played.found(report["files_key"]) or b"").splitlines()]
    assert [(file["file"], file["completed"]) for file in listed] == [(name, 1) for name in names]


def parted() -> GatherWorld:
    """Make a world whose folder is listed two files at a time, by processes that soon have no more time."""
    made = GatherWorld(max_requests_per_shard=4)
    made.memory.bucket.page, made.looks = 2, 0
    for name in "abcdefghi":
        made.come(name, 1)
    return made


def ended(played: GatherWorld) -> bool:
    """Fire, and sweep until the firing has ended; tell whether a process had no more time meanwhile."""
    played.fire(1, once=True)
    parts = 0
    while not played.gathered() or list(played.memory.gather_store.open_firings()):
        parts += 1
        assert parts < 20
        played.clock.now += 1_000
        played.sweep()
    return parts > 1


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_folder_that_is_listed_in_parts_is_gathered_once_whatever_befalls(kind: str, *, after: bool) -> None:
    """The one that overtakes begins at the start, or goes on with what the other kept, and ends or stops before it."""
    quiet = parted()
    assert ended(quiet)
    for at in some(range(quiet.strikes.count), kind, after=after, every=4):
        played = parted()
        played.strikes.step = lambda played=played: played.heard(1)  # type: ignore[misc]
        played.strikes.due = Strike(kind, at, after)
        if kind == "fail":
            with suppress(StoreError):  # the sweep tells of it, and comes again
                ended(played)
        ended(played)
        assert played.end() == [], f"at effect {at}: {played.strikes.struck}"
        assert len(played.gathered()) == 1


@pytest.mark.parametrize("dies", range(1, 8, 2))
def test_a_request_that_found_nothing_is_asked_again_by_one_that_dies_while_the_first_still_lists(dies: int) -> None:
    def again(played: GatherWorld, ask: Callable[[], None]) -> None:
        ask()
        played.come("late", 2)
        played.strikes.due = Strike("kill", dies)
        played.machine.once(ask)

    for at in range(100):
        played = GatherWorld()

        def ask(played: GatherWorld = played) -> None:
            with suppress(OutOfTime):
                fire.fire_briefly(played.services, "default", "f", "asked", {}, 18)

        played.strikes.step, played.strikes.due = partial(again, played, ask), Strike("overtake", at)
        with suppress(Killed):
            ask()
        if not played.strikes.struck:
            break
        played.clock.now += 2_000
        played.sweep()
        played.machine.deliver(ask)  # as nobody has told of a batch
        assert played.end() == [], f"at effect {at}: {played.strikes.struck}"
        assert list(played.gathered().values()) == [["late"]]
    assert at > 4


@pytest.mark.parametrize("turns", range(6))
def test_the_files_of_a_batch_that_was_cancelled_before_it_began_are_free_and_no_others(turns: int) -> None:
    played = world()
    played.fire(1)
    ((first, _),) = played.gathered().items()
    for _ in range(turns):
        for execution in played.machine.running:
            played.machine.turn(execution)
    begun = played.record(first)["in_progress_at"] is not None
    played.machine.deliver(lambda: cancel_batch(played.services, "default", first))
    played.fire(2)
    assert list(played.gathered()) == [first]  # what becomes of it is open
    played.finish()
    assert played.record(first)["status"] == "cancelled"
    played.fire(3)
    played.finish()
    again = [names for batch_id, names in played.gathered().items() if batch_id != first]
    assert again == ([] if begun else [sorted(FILES)])
    assert begun == bool(turns)
    sent = [
        each for (batch_id, _), each in played.memory.batch_store.kept.items() if batch_id == first and each.attempts
    ]
    assert begun or not sent
