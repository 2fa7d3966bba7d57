"""A create whose answer was lost, at a provider that lists no batches: a person says what came of it, whatever is struck."""

from __future__ import annotations

import pytest

from tests.fakes.failures import lost
from tests.faults.provider import Trouble
from tests.faults.strikes import Strike, some
from tests.faults.struck import StruckWorld

SIX = [f"r{at}" for at in range(6)]
each_truth = pytest.mark.parametrize("made", [True, False], ids=["the batch was made", "it was not"])
each_kind = pytest.mark.parametrize("inline", [False, True], ids=["of a file", "of the lines themselves"])


def both_wait(*, made: bool, inline: bool = False) -> StruckWorld:
    """Play until both shards wait to be told what came of their creates."""
    world = StruckWorld(max_requests_per_shard=4)
    world.provider.lists, world.provider.inline = False, inline
    world.provider.troubles = [Trouble(lost, after=made, operation="create_batch") for _ in range(2)]
    batch_id = world.upload(SIX)
    while not all(waits(world, batch_id, shard) for shard in (0, 1)):
        for execution in world.machine.running:
            world.machine.turn(execution)
    assert len(world.provider.made) == 2 * made
    return world


def waits(world: StruckWorld, batch_id: str, shard: int) -> bool:
    kept = world.memory.batch_store.kept.get((batch_id, shard))
    latest = kept.attempt if kept is not None else None
    return latest is not None and latest.unlisted and latest.provider_batch_id is None


def tell_the_truth(world: StruckWorld, *shards: int) -> None:
    """Say of each shard which batch the provider has, or that there is none."""
    found = {batch.metadata["batchyard_attempt"].split("/")[1]: batch.id for batch in world.provider.batches.values()}
    for shard in shards:
        world.say(shard, found.get(str(shard)))


def see_to_it(world: StruckWorld) -> None:
    """Say of both shards what came of their creates, of one a second time; and again whenever the batch asks for it."""
    batch_id = world.cases[0].batch_id
    tell_the_truth(world, 0, 1, 0)
    while world.machine.running:
        for execution in world.machine.running:
            world.machine.turn(execution)
        tell_the_truth(world, *(shard for shard in (0, 1) if waits(world, batch_id, shard)))
    world.finish(calm=False)


def effects(*, made: bool) -> int:
    world = both_wait(made=made)
    before = world.strikes.count
    see_to_it(world)
    return world.strikes.count - before


@each_truth
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_whatever_is_struck_nothing_is_paid_twice_and_no_line_is_lost(kind: str, *, after: bool, made: bool) -> None:
    for at in some(range(effects(made=made)), kind, after=after):
        world = both_wait(made=made)
        world.strikes.due = Strike(kind, at, after)
        see_to_it(world)
        assert world.wrongs() == [], f"at effect {at}: {world.strikes.struck}"
        record = world.record(world.cases[0].batch_id)
        assert (record["status"], record["counts"]["completed"]) == ("completed", 6)
        assert len(world.provider.made) == 2, world.strikes.struck


@each_kind
@each_truth
def test_nothing_is_made_while_nobody_says_anything(*, made: bool, inline: bool) -> None:
    world = both_wait(made=made, inline=inline)
    for _ in range(50):
        for execution in world.machine.running:
            world.machine.turn(execution)
        world.sweep()
    assert len(world.provider.made) == 2 * made
    see_to_it(world)
    assert world.wrongs() == []


@each_kind
@each_truth
def test_a_cancelled_batch_ends_as_soon_as_a_person_has_said_what_came_of_it(*, made: bool, inline: bool) -> None:
    world = both_wait(made=made, inline=inline)
    world.cancel()
    tell_the_truth(world, 0, 1)
    world.finish()
    assert world.wrongs() == []
    record = world.record(world.cases[0].batch_id)
    assert record["status"] == "cancelled"
    assert record["cancelled_at"] - record["cancelling_at"] < 1_800
    assert len(world.provider.made) == 2 * made
