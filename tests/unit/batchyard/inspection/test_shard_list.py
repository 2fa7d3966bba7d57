"""The shards of a batch: where each stands, what its attempts were, and how the whole went on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.api.batches import batch_shards
from batchyard.domain.shard import MOST_POINTS, POINT, Shard, with_members, with_progress
from batchyard.inspection.shard_list import MOST_POINTS as MOST_SHOWN
from batchyard.inspection.shard_list import progress
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request
from tests.fakes.world import World, memory_world


@pytest.fixture
def world() -> World:
    return memory_world(max_attempts=1, max_requests_per_shard=2)


def asked(world: World, batch_id: str, after: str | None = None, limit: str | None = None) -> dict[str, Any]:
    return batch_shards(world.services, "default", batch_id, after, limit)


def test_a_shard_shows_its_attempts_with_the_ids_of_the_provider(world: World) -> None:
    world.provider.endings = [answering(lambda each: bad(each, 400) if each == "r1" else good(each), "completed")] * 9
    batch_id = world.drop(jsonl([request(f"r{at}", model="m1" if at > 1 else "m0") for at in range(4)]))
    world.run_until_submitted(batch_id)
    running = asked(world, batch_id)
    assert [row["status"] for row in running["data"]] == ["at_provider"] * 2
    assert [row["attempts"][0]["provider_batch_id"] for row in running["data"]] == list(world.provider.batches)
    assert world.run(batch_id) == "done"
    ended = asked(world, batch_id)
    assert [(row["shard"], row["status"], row["first_line"], row["last_line"]) for row in ended["data"]] == [
        (0, "done", 1, 2), (1, "done", 3, 4),
    ]  # fmt: skip
    assert (ended["shards"], ended["begun"], ended["has_more"]) == (2, 2, False)
    assert [(each["model"], each["lines"], each["completed"], each["failed"]) for each in ended["models"]] == [
        ("m0", 2, 1, 1), ("m1", 2, 2, 0),
    ]  # fmt: skip
    last = ended["progress"][-1]
    assert (last["completed"], last["failed"]) == (3, 1)
    assert [each["at"] for each in ended["progress"]] == sorted({each["at"] for each in ended["progress"]})


def test_shards_come_in_pages(world: World) -> None:
    batch_id = world.drop(jsonl([request(f"r{at}") for at in range(6)]))
    world.run_until_submitted(batch_id)
    first = asked(world, batch_id, limit="2")
    assert ([row["shard"] for row in first["data"]], first["has_more"]) == ([0, 1], True)
    rest = asked(world, batch_id, after="1", limit="2")
    assert ([row["shard"] for row in rest["data"]], rest["has_more"]) == ([2], False)


def test_a_batch_that_is_not_planned_has_no_shards_yet(world: World) -> None:
    found = asked(world, world.drop(jsonl([request("r0")])))
    assert (found["data"], found["shards"], found["progress"], found["models"]) == ([], 0, [], [])


def shard(number: int = 0, **members: Any) -> Shard:
    return Shard(
        batch_id="batch_0", shard=number, expires_at_ttl=1, endpoint="/v1/chat/completions", model="m", lines=10**6,
        first=0, last=1, unfinished=0, **members,
    )  # fmt: skip


def test_a_point_is_kept_only_where_the_counts_change() -> None:
    begun = with_progress(shard(), 5)
    assert begun.progress == []
    moved = with_progress(with_members(begun, completed=3), 9)
    assert with_progress(moved, 12).progress == moved.progress == [9, 3, 0]
    assert with_progress(with_members(moved, failed=1), 9).progress == [9, 3, 1]


def test_a_shard_that_moves_for_ever_keeps_some_points_from_its_whole_way() -> None:
    moving = shard()
    for at in range(1, 5_000):
        moving = with_progress(with_members(moving, completed=at), at * 60)
    assert len(moving.progress) <= MOST_POINTS * POINT
    assert moving.progress[-POINT:] == [4_999 * 60, 4_999, 0]
    assert moving.progress[0] < 5_000 * 60 / 10


ways = st.lists(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=40), max_size=8)


@given(ways)
def test_the_progress_of_a_batch_is_the_sum_of_its_shards_at_every_time(ways: list[list[tuple[int, int]]]) -> None:
    shards = [shard(number) for number in range(len(ways))]
    for number, way in enumerate(ways):
        for step, (completed, failed) in enumerate(way):
            shards[number] = with_progress(
                with_members(shards[number], completed=completed, failed=failed), 100 + 7 * step + number
            )
    points = progress(shards)
    assert len(points) <= MOST_SHOWN
    assert [at for at, _, _ in points] == sorted({at for at, _, _ in points})
    if points:
        assert points[-1][1:] == (
            sum(each.progress[-2] for each in shards if each.progress),
            sum(each.progress[-1] for each in shards if each.progress),
        )
