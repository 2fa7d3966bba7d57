"""An upload is the very bytes of its ranges, each time it is read."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from batchyard.lines.byte_ranges import NEAR, ByteRanges, near
from tests.fakes.bucket import MemoryBucket

KEY = "inbox/default/in.jsonl"


def upload_of(data: bytes, ranges: list[tuple[int, int]], chunk: int) -> tuple[ByteRanges, MemoryBucket]:
    bucket = MemoryBucket(chunk)
    bucket.put(KEY, data)
    return ByteRanges(bucket, bucket.head(KEY)[0], ranges), bucket


def ranges_in(size: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Draw ranges in order and apart; two may touch."""
    points = st.lists(st.integers(0, size), unique=True, max_size=20).map(sorted)
    return points.map(lambda at: list(zip(at[::2], at[1::2], strict=False)))


@given(st.binary(max_size=200), st.integers(1, 70), st.data())
def test_the_body_is_exactly_the_ranges_twice(data: bytes, chunk: int, draw: st.DataObject) -> None:
    ranges = draw.draw(ranges_in(len(data)))
    upload, _ = upload_of(data, ranges, chunk)
    wanted = b"".join(data[start:stop] for start, stop in ranges)
    for _ in range(2):
        chunks = list(upload)
        assert b"".join(chunks) == wanted
        assert all(chunks)  # an empty chunk would end a chunked body
    assert len(upload) == len(wanted)


@given(st.lists(st.tuples(st.integers(0, 3 * NEAR), st.integers(1, 3 * NEAR)), max_size=12))
def test_near_ranges_are_read_together_and_far_ones_apart(gaps: list[tuple[int, int]]) -> None:
    ranges, at = [], 0
    for gap, size in gaps:
        ranges.append((at + gap, at + gap + size))
        at += gap + size
    groups = list(near(ranges))
    assert [each for group in groups for each in group] == ranges
    for group in groups:
        assert all(start - stop <= NEAR for (_, stop), (start, _) in pairwise(group))
    assert all(after[0][0] - before[-1][1] > NEAR for before, after in pairwise(groups))


def test_far_ranges_are_not_read_through() -> None:
    size = 4 * NEAR
    upload, bucket = upload_of(bytes(size), [(0, 5), (size - 5, size)], NEAR)
    assert b"".join(upload) == bytes(10)
    assert bucket.reads == [(0, 5), (size - 5, size)]


def test_no_ranges_are_an_empty_body() -> None:
    upload, bucket = upload_of(b"abc", [], 1)
    assert (len(upload), list(upload), bucket.reads) == (0, [], [])
