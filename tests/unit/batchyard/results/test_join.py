"""Shards whose lines interleave are merged; others follow one another."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.shard import Shard
from batchyard.results.join import groups


def shard(number: int, first: int, last: int) -> Shard:
    return Shard(
        batch_id="b", shard=number, expires_at_ttl=0, endpoint="e", model="m", lines=1, first=first, last=last, unfinished=0
    )  # fmt: skip


BOUNDS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=12)


@given(BOUNDS)
def test_every_group_lies_wholly_before_the_next(bounds: list[tuple[int, int]]) -> None:
    shards = [shard(at, first, first + length) for at, (first, length) in enumerate(bounds)]
    made = list(groups(shards))
    assert sorted(each.shard for group in made for each in group) == list(range(len(shards)))
    ends = [(min(each.first for each in group), max(each.last for each in group)) for group in made]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def test_shards_one_after_another_are_not_merged() -> None:
    made = groups([shard(1, 10, 19), shard(0, 0, 9), shard(2, 20, 29)])
    assert [[each.shard for each in group] for group in made] == [[0], [1], [2]]
