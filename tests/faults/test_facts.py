"""A service with odd facts, and a strike at any effect: room that is counted in batches, and batches that never expire."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from batch_client import PROFILES, Facts, Profile
from batchyard.domain.stopping import OVERTIME
from tests.faults.checker import ATTEMPTS
from tests.faults.provider import Fate
from tests.faults.strikes import KINDS, Strike, some
from tests.faults.struck import StruckWorld
from tests.faults.test_token_limits import DAY, FORTY, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Odd = Callable[..., StruckWorld]

TWELVE = FORTY[:12]


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Odd:
    """Make worlds whose provider has these facts."""

    def make(settings: Mapping[str, Any] | None = None, /, **facts: object) -> StruckWorld:
        row = Profile(name="odd", facts=Facts(source="made up, 2026", **facts))  # type: ignore[arg-type]  # each fact has its own type
        monkeypatch.setitem(PROFILES, "odd", row)
        return StruckWorld(provider_profile="odd", max_requests_per_shard=3, **(settings or {}))

    return make


def most_at_once(world: StruckWorld) -> int:
    """Play all shards side by side, and answer how many batches the provider ran at once, at most."""
    most = 0
    while world.machine.running:
        (execution,) = world.machine.running
        due = [execution.shards[number].due for number in execution.open]
        world.machine.turn(execution, due.index(min(due)) if due else 0)
        most = max(most, len(world.provider.live()))
    return most


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_step_is_struck_at_any_call_where_batches_fill_the_room(odd: Odd, kind: str, *, after: bool) -> None:
    def struck(at: int | None) -> tuple[StruckWorld, int]:
        world = odd(room="jobs", room_size=2)
        world.strikes.due = None if at is None else Strike(kind, at, after)
        world.upload(TWELVE)
        most = most_at_once(world)
        world.finish(calm=False)
        return world, most

    for at in range(0, struck(None)[0].strikes.count, 29):
        world, most = struck(at)
        assert world.wrongs() == [], f"at effect {at}: {world.strikes.struck}"
        assert world.record(world.cases[0].batch_id)["counts"]["completed"] == len(TWELVE)
        assert most <= 2, f"at effect {at}: {world.strikes.struck}"


@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_batch_that_never_ends_is_taken_back_whatever_is_struck(odd: Odd, kind: str) -> None:
    def struck(at: int | None) -> StruckWorld:
        world = odd(expires=False)
        world.provider.fates = [Fate(seconds=400 * DAY, share=0.5)]
        world.strikes.due = None if at is None else Strike(kind, at)
        world.upload(TWELVE[:3])
        begun = world.clock.now
        side_by_side(world)
        assert begun + DAY + OVERTIME <= world.clock.now < begun + 3 * DAY
        world.finish(calm=False)
        return world

    for at in range(0, struck(None).strikes.count, 19):
        world = struck(at)
        assert world.wrongs() == [], f"at effect {at}: {world.strikes.struck}"
        assert world.record(world.cases[0].batch_id)["counts"]["completed"] == 3


@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_what_expires_with_nothing_goes_again_in_smaller_parts_whatever_is_struck(odd: Odd, kind: str) -> None:
    def struck(at: int | None) -> StruckWorld:
        world = odd(
            after_expiry="nothing", after_cancel="nothing", inputs_kept=2 * DAY, results_kept=DAY, progress="none"
        )
        world.provider.fates = [Fate("expired", seconds=DAY, share=0.0)] * 2
        world.strikes.due = None if at is None else Strike(kind, at)
        world.upload(TWELVE[:3])
        side_by_side(world)
        world.finish(calm=False)
        return world

    assert [len(made.custom_ids) for made in struck(None).provider.made.values()] == [3, 1, 1, 1, 1]
    for at in range(0, struck(None).strikes.count, 41):
        world = struck(at)
        assert world.wrongs() == [], f"at effect {at}: {world.strikes.struck}"
        assert world.record(world.cases[0].batch_id)["counts"]["completed"] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_no_line_is_in_more_lost_batches_than_it_has_tries_whatever_is_struck(odd: Odd, kind: str) -> None:
    looks = {"poll_floor_seconds": DAY // 4, "poll_ceiling_seconds": DAY}  # a few a day, for each is alike

    def struck(at: int | None) -> StruckWorld:
        world = odd(looks, after_expiry="nothing", after_cancel="nothing", progress="none")
        world.provider.fates = [Fate("expired", seconds=DAY, share=0.0)] * 100
        world.strikes.due = None if at is None else Strike(kind, at)
        world.upload(TWELVE[:3])
        side_by_side(world)
        world.finish(calm=False)
        return world

    assert [len(made.custom_ids) for made in struck(None).provider.made.values()] == [3, 1, 1, 1, 1, 1, 1]
    for at in (None, *some(range(struck(None).strikes.count), kind, after=False, every=11)):
        world = struck(at)
        where = f"at effect {at}: {world.strikes.struck}"
        assert world.wrongs() == [], where
        ran = Counter(each for made in world.provider.made.values() for each in made.custom_ids)
        assert max(ran.values()) <= ATTEMPTS, where
        assert world.record(world.cases[0].batch_id)["counts"]["failed"] == 3, where
