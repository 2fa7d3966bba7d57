"""Runs give back the lines they were given, where they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.lines.runs import Run, RunWriter
from tests.fakes.bucket import MemoryBucket

LINE = st.binary(min_size=1, max_size=30).map(lambda line: line.replace(b"\n", b"x"))


@given(st.dictionaries(st.integers(0, 2**60), LINE, min_size=1), st.integers(1, 50))
def test_lines_come_back_at_their_positions_whatever_the_chunks(lines: dict[int, bytes], chunk: int) -> None:
    bucket, ordered = MemoryBucket(chunk), sorted(lines.items())
    with RunWriter(bucket, "run") as run:
        for position, line in ordered:
            run.write(position, line)
        assert len(run) == len(lines)
    assert list(Run(bucket, "run").lines()) == [(position, line + b"\n") for position, line in ordered]
    with bucket.writer("copy") as copy:
        copy.write(b"first\n")
        assert [count for _, count in Run(bucket, "run").copy_to(copy)] == [len(lines)]
    assert bucket.stored["copy"] == b"first\n" + b"".join(line + b"\n" for _, line in ordered)


@given(
    st.dictionaries(st.integers(0, 50), LINE, min_size=1), st.integers(-1, 51), st.integers(-1, 60), st.integers(1, 99)
)
def test_a_run_is_read_between_any_positions_in_blocks_no_larger_than_wanted_but_for_one_line(
    lines: dict[int, bytes], after: int, last: int, piece: int
) -> None:
    bucket, ordered = MemoryBucket(7), sorted(lines.items())
    with RunWriter(bucket, "run") as run:
        for position, line in ordered:
            run.write(position, line)
    found = list(Run(bucket, "run").blocks(after, last, piece))
    whole = [(position, line + b"\n") for position, line in ordered if after < position <= last]
    assert Run(bucket, "run").last == ordered[-1][0]
    assert [line for block in found for line in block.lines()] == whole
    assert all(len(block.data) <= piece or len(block.sizes) == 1 for block in found)


@pytest.mark.parametrize("line", [b"{}\n", b"{}"])
def test_a_line_has_one_line_end_whether_it_came_with_one_or_not(line: bytes) -> None:
    bucket = MemoryBucket()
    with RunWriter(bucket, "run") as run:
        run.write(7, line)
        run.write(8, b"next")
    assert list(Run(bucket, "run").lines()) == [(7, b"{}\n"), (8, b"next\n")]


def test_an_empty_run_leaves_nothing() -> None:
    bucket = MemoryBucket()
    with RunWriter(bucket, "run") as run:
        assert len(run) == 0
    assert bucket.stored == {}


def stop_half_way(bucket: MemoryBucket) -> None:
    with RunWriter(bucket, "run") as run:
        run.write(0, b"{}")
        raise KeyboardInterrupt


def test_a_run_that_was_not_finished_leaves_nothing() -> None:
    bucket = MemoryBucket()
    with pytest.raises(KeyboardInterrupt):
        stop_half_way(bucket)
    assert bucket.stored == {}
