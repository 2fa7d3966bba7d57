"""Firings of a gather folder: struck at any effect, fired twice and late, and files that come while all that goes on."""

from __future__ import annotations

import json

import pytest

from tests.faults.gathered import RUN, GatherWorld
from tests.faults.provider import Fate
from tests.faults.strikes import Strike, some

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
    for dies in range(at % 2, effects, 2):
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
