"""Shards whose lines lie among each other's are merged; others follow one another."""

import itertools
from collections.abc import Iterator
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.shard import Shard
from batchyard.lines.merging import AT_ONCE, PIECE, SMALLEST_PIECE, MergeInput, RunBlock, merged, piece_of
from batchyard.results.join import groups


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


class Feeds:
    """Feeds to merge that know which of them are open: begun, and not yet read to their end."""

    def __init__(self, feeds: list[dict[int, bytes]], early: int, at_once: int = 1) -> None:
        self.spans = [(min(feed, default=0) - early, max(feed, default=-1)) for feed in feeds]
        self.open: set[int] = set()
        self.begun: list[int] = []
        self.at_once = at_once
        self.given = [
            MergeInput(first, last, partial(self._read, at, feeds[at])) for at, (first, last) in enumerate(self.spans)
        ]

    def _read(self, at: int, feed: dict[int, bytes], piece: int) -> Iterator[RunBlock]:
        assert piece == PIECE
        self.begun.append(at)
        self.open.add(at)
        lines = sorted(feed.items())
        for first in range(0, len(lines), self.at_once):
            some = lines[first : first + self.at_once]
            data = [line for _, line in some]
            yield RunBlock([position for position, _ in some], list(map(len, data)), b"".join(data))
        self.open.remove(at)

    def around(self, position: int) -> set[int]:
        return {at for at, (first, last) in enumerate(self.spans) if first <= position <= last}


@given(st.dictionaries(st.integers(0, 200), st.integers(0, 6), max_size=60), st.integers(0, 5), st.integers(1, 9))
def test_feeds_are_merged_in_order_and_none_is_open_before_or_after_its_lines_are_due(
    owners: dict[int, int], early: int, at_once: int
) -> None:
    feeds = Feeds(
        [{at: b"%d," % at for at, owner in owners.items() if owner == each} for each in range(7)], early, at_once
    )
    found, count = b"", 0
    for stretch in merged(feeds.given):
        assert feeds.open <= feeds.around(stretch.last)
        found, count = found + stretch.data, count + stretch.lines
        assert found.endswith(b"%d," % stretch.last)
    assert found == b"".join(b"%d," % at for at in sorted(owners))
    assert count == len(owners)
    assert sorted(feeds.begun) == list(range(7))
    assert feeds.open == set()


def test_a_thousand_feeds_one_after_another_are_read_one_at_a_time() -> None:
    feeds = Feeds([{at: b"x"} for at in range(1_000)], 0)
    assert [len(feeds.open) for _ in merged(feeds.given)] == [1] * 1_000


def test_lines_of_one_feed_are_taken_together_until_another_has_one() -> None:
    feeds = Feeds([{0: b"a", 1: b"b", 5: b"f"}, {2: b"c", 3: b"d", 4: b"e"}], 0, at_once=9)
    assert list(merged(feeds.given)) == [(1, 2, b"ab"), (4, 3, b"cde"), (5, 1, b"f")]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), min_size=1, max_size=12))
def test_as_many_feeds_as_are_open_together_share_the_bytes_there_are(spans: list[tuple[int, int]]) -> None:
    def begin(_: int) -> Iterator[RunBlock]:
        return iter(())

    many = [MergeInput(first, first + length, begin) for first, length in spans for _ in range(1_000)]
    most = max(sum(feed.first <= at <= feed.last for feed in many) for at in range(41))
    assert piece_of(many) == max(SMALLEST_PIECE, AT_ONCE // most)
    assert piece_of(many[:1]) == PIECE
    assert piece_of([]) == PIECE
