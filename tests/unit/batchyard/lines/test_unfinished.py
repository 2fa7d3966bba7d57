"""The lines that wait, the tries they have used, and the lost batches they were in."""

from hypothesis import given
from hypothesis import strategies as st

from batchyard.lines.unfinished import Unfinished
from tests.fakes.bucket import MemoryBucket


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 255), st.integers(0, 255))))
def test_a_list_read_back_is_the_list_written(lines: list[tuple[int, int, int]]) -> None:
    bucket, unfinished = MemoryBucket(), Unfinished.none()
    for line in lines:
        unfinished.add(*line)
    bucket.put("key", unfinished.pack())
    back = Unfinished.read(bucket, "key", 0)
    assert list(zip(back.ordinals, back.tries, back.lost, strict=True)) == list(back.beyond(0)) == lines
    assert len(back) == len(lines)


def test_the_empty_key_means_every_line_untried() -> None:
    everything = Unfinished.read(MemoryBucket(), "", 5)
    assert list(everything.beyond(0)) == [(at, 0, 0) for at in range(5)]


def test_tries_past_counting_stay_at_the_most() -> None:
    unfinished = Unfinished.none()
    unfinished.add(0, 256, 257)
    assert list(unfinished.beyond(0)) == [(0, 255, 255)]
