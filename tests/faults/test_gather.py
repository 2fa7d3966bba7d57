"""Firings of a gather folder: struck at any effect, fired twice and late, and files that come while all that goes on."""

from __future__ import annotations

import json
import random
from contextlib import suppress

import pytest

from batchyard.api.batches import cancel_batch
from batchyard.domain.errors import StoreError
from tests.faults.gathered import RUN, GatherWorld, batch_of
from tests.faults.provider import Fate
from tests.faults.strikes import Strike, some

FILES = {"a": 3, "b": 1, "c": 2, "d": 4}
FIRST = Fate("expired", share=0.5, lines={"a-1": "refused", "b-0": "unavailable"})
PLAYS = 50


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
    struck = 0
    for at in some(range(effects_of_a_run()), kind, after=after, every=12):
        played = world()
        played.strikes.due = Strike(kind, at, after)
        played.fire(1)
        assert played.end() == [], f"at effect {at}: {played.strikes.struck}"
        assert len(played.gathered()) == 1
        struck += bool(played.strikes.struck)
    assert struck > 5


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
    for at in range(after, 60, 2):
        played = world()
        played.strikes.due = Strike("kill", at, after)
        played.fire(1, once=True)
        if not played.strikes.struck:
            break
        assert played.end() == [], f"at effect {at}: {played.strikes.struck}"
        assert len(played.gathered()) == 1
    assert at > 10


@pytest.mark.parametrize("at", range(0, 22, 2))
def test_two_firings_at_once_share_the_files(at: int) -> None:
    played = world()

    def firing() -> None:
        played.strikes.step = lambda: played.strike_clock("clock")
        played.heard(1)

    played.backing.put(RUN, b"", {})
    played.strikes.due = Strike("overtake", at)
    played.machine.deliver(firing)
    assert played.strikes.struck
    assert played.end() == []
    assert sorted(name for names in played.gathered().values() for name in names) == sorted(FILES)


@pytest.mark.parametrize("dies", range(4, 20, 2))
@pytest.mark.parametrize("at", range(0, 22, 3))
def test_a_firing_that_comes_twice_at_once_takes_the_same_files_though_one_more_comes_between(
    at: int, dies: int
) -> None:
    """The second process may die between its claims and the record."""
    played = world()

    def again() -> None:
        played.come("between", 2)
        played.strikes.due = Strike("kill", dies)
        played.machine.once(lambda: played.heard(1))
        played.strikes.due = None

    def firing() -> None:
        played.strikes.step = again
        played.heard(1)

    played.backing.put(RUN, b"", {})
    played.strikes.due = Strike("overtake", at)
    played.machine.deliver(firing)
    assert played.strikes.struck
    played.strike_clock("later")
    assert played.end() == []


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


def test_ten_thousand_files_of_one_line_are_one_batch_though_a_process_dies_amid_its_claims() -> None:
    played = GatherWorld()
    for at in range(10_000):
        played.come(f"{at:05}", 1)
    played.strikes.due = Strike("kill", 600)
    played.fire(1)
    played.finish()
    assert played.strikes.struck
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


@pytest.mark.parametrize("seed", range(PLAYS))
def test_every_file_is_in_exactly_one_batch_whatever_comes_in_whichever_order(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a play is no secret
    played = GatherWorld(max_requests_per_shard=chance.choice([2, 5, 100]))
    for step in range(14):
        if chance.random() < 0.5:
            kind, after = chance.choice(["kill", "fail", "overtake"]), chance.random() < 0.5
            played.strikes.due = Strike(kind, chance.randrange(12), after)
        chance.choice(MOVES)(played, chance, step)
    played.strikes.due = None
    played.come("last", 1)
    played.strike_clock("the end")
    assert played.end() == []
    assert batch_of("the end") in played.gathered()


def _come(played: GatherWorld, chance: random.Random, step: int) -> None:
    played.come(f"f{step}", chance.randrange(1, 4))


def _run(played: GatherWorld, chance: random.Random, step: int) -> None:
    played.fire(step, once=chance.random() < 0.3)


def _tick(played: GatherWorld, chance: random.Random, _: int) -> None:
    played.strike_clock(f"clock {chance.randrange(4)}")


def _turn(played: GatherWorld, chance: random.Random, _: int) -> None:
    for _ in range(chance.randrange(9)):
        for execution in played.machine.running:
            played.machine.turn(execution)


def _sweep(played: GatherWorld, chance: random.Random, _: int) -> None:
    played.clock.now += chance.choice([60, 1_300])
    played.sweep()


MOVES = (_come, _come, _run, _tick, _turn, _sweep)
