"""Shards whose lines lie among each other's are merged; others follow one another."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from batchyard.results import Lines, groups, merged
from batchyard.shard import Shard


def shard(number: int, first: int, last: int) -> Shard:
    return Shard(
        batch_id="b", shard=number, expires_at_ttl=0, endpoint="e", model="m", lines=1, first=first, last=last, unfinished=0
    )  # fmt: skip


SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=12)


@given(SPANS)
def test_every_group_lies_wholly_before_the_next(spans: list[tuple[int, int]]) -> None:
    shards = [shard(at, first, first + length) for at, (first, length) in enumerate(spans)]
    made = list(groups(shards))
    assert sorted(each.shard for group in made for each in group) == list(range(len(shards)))
    ends = [(min(each.first for each in group), max(each.last for each in group)) for group in made]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def test_shards_one_after_another_are_not_merged() -> None:
    made = groups([shard(1, 10, 19), shard(0, 0, 9), shard(2, 20, 29)])
    assert [[each.shard for each in group] for group in made] == [[0], [1], [2]]


class Parts:
    """Parts to merge that know which of them are open: begun, and not yet read to their end."""

    def __init__(self, parts: list[dict[int, bytes]], early: int) -> None:
        self.spans = [(min(part, default=0) - early, max(part, default=-1)) for part in parts]
        self.open: set[int] = set()
        self.begun: list[int] = []
        self.given: list[tuple[int, Callable[[], Lines]]] = [
            (first, partial(self._read, at, parts[at])) for at, (first, _) in enumerate(self.spans)
        ]

    def _read(self, at: int, part: dict[int, bytes]) -> Iterator[tuple[int, bytes]]:
        self.begun.append(at)
        self.open.add(at)
        yield from sorted(part.items())
        self.open.remove(at)

    def around(self, position: int) -> set[int]:
        return {at for at, (first, last) in enumerate(self.spans) if first <= position <= last}


@given(st.dictionaries(st.integers(0, 200), st.integers(0, 6), max_size=60), st.integers(0, 5))
def test_parts_are_merged_in_order_and_none_is_open_before_or_after_its_lines_are_due(
    owners: dict[int, int], early: int
) -> None:
    parts = Parts([{at: b"%d" % at for at, owner in owners.items() if owner == each} for each in range(7)], early)
    found = []
    for position, line in merged(parts.given):
        assert parts.open <= parts.around(position)
        found.append((position, line))
    assert found == sorted((at, b"%d" % at) for at in owners)
    assert sorted(parts.begun) == list(range(7))
    assert parts.open == set()


def test_a_thousand_parts_one_after_another_are_read_one_at_a_time() -> None:
    parts = Parts([{at: b"x"} for at in range(1_000)], 0)
    assert [len(parts.open) for _ in merged(parts.given)] == [1] * 1_000
