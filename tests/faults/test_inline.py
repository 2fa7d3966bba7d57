"""A service that takes the lines with the create, keeps no inputs and shows no keys, as Anthropic's: all promises hold."""

from __future__ import annotations

import pytest

from tests.fakes.failures import lost
from tests.faults.inputs import written
from tests.faults.provider import Fate, Trouble
from tests.faults.strikes import Strike, some
from tests.faults.struck import StruckWorld

SIX = [f"r{at}" for at in range(6)]
TWELVE = [f"r{at}" for at in range(12)]


def uploaded(ids: list[str], *troubles: Trouble) -> StruckWorld:
    world = StruckWorld(max_requests_per_shard=4)
    world.provider.inline, world.provider.troubles = True, [*troubles]
    world.upload(ids)
    return world


def succeeded(world: StruckWorld) -> int:
    assert world.wrongs() == [], world.strikes.struck
    assert not {"create_file", "retrieve_file"} & set(world.provider.calls)
    return int(world.record(world.cases[0].batch_id)["counts"]["completed"])


def whole(kind: str = "", at: int = 0, *, after: bool = False, made: bool = True) -> StruckWorld:
    """Play a batch to its end whose first create is lost, and perhaps strike one effect."""
    world = uploaded(SIX, Trouble(lost, after=made, operation="create_batch"))
    world.strikes.due, world.strikes.count = Strike(kind, at, after) if kind else None, 0
    world.finish(calm=False)
    return world


@pytest.mark.parametrize(
    ("kind", "after", "made"),
    [("kill", False, True), ("kill", True, True), ("kill", True, False), ("overtake", True, True)],
)
def test_whatever_is_struck_a_lost_create_is_found_again_and_no_line_is_paid_twice(
    kind: str, *, after: bool, made: bool
) -> None:
    for at in some(range(whole(made=made).strikes.count), kind, after=after):
        world = whole(kind, at, after=after, made=made)
        assert succeeded(world) == len(SIX), f"at effect {at}: {world.strikes.struck}"


@pytest.mark.parametrize("made", [True, False])
def test_a_lost_create_among_batches_of_equal_size_is_made_once(*, made: bool) -> None:
    world = uploaded(TWELVE, Trouble(lost, after=made, operation="create_batch"))
    world.finish(calm=False)
    assert succeeded(world) == len(TWELVE)
    assert len(world.provider.made) == 3


def test_what_is_refused_as_too_large_at_the_create_goes_in_halves() -> None:
    world = uploaded(TWELVE)
    world.provider.most_bytes = len(written(TWELVE[:2], ["m0"], {}).data) + 50
    world.finish()
    assert succeeded(world) == len(TWELVE)
    assert len(world.provider.made) >= len(TWELVE) // 2


@pytest.mark.parametrize("end", ["expired", "cancelled", "failed"])
def test_what_a_job_leaves_unfinished_is_sent_again(end: str) -> None:
    world = uploaded(TWELVE)
    world.provider.fates = [Fate(end=end, share=0.5) for _ in range(3)]
    world.finish()
    assert succeeded(world) == len(TWELVE)


def test_nothing_is_left_at_the_service() -> None:
    world = uploaded(TWELVE)
    world.finish()
    assert succeeded(world) == len(TWELVE)
    assert world.provider.left() == []
