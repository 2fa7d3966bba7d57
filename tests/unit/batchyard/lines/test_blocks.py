"""Lines are found alike however the bytes come, and put together again they are the input."""

import itertools
import re
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.lines.blocks import blocks
from tests.unit.batchyard.lines.found_lines import Found, scan

LONGEST = 1_000_000
EDGE = 65_536
# Bytes that mean something to one reader or another: line ends, blanks, and the ends and middles of characters.
TELLING = st.lists(
    st.sampled_from(
        [b"\n", b"\r\n", b"\r", b" ", b"\t", b"\0", b"{}", b"a", "é".encode(), b"\xe2\x80\xa8", b"\x85", b"\xff"]
    ),
    max_size=60,
).map(b"".join)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def expected(data: bytes, longest: int = LONGEST) -> list[Found]:
    """Find the lines of bytes that are all at hand, the plain way."""
    found, offset = [], 0
    for number, text in enumerate(data.split(b"\n"), start=1):
        line = text + b"\n" if offset + len(text) < len(data) else text
        if line.strip() or len(line) > longest:
            found.append(Found(number, offset, len(line), line if len(line) <= longest else None))
        offset += len(line)
    return [each for each in found if each.size]


@given(TELLING | st.binary(max_size=300), st.integers(1, 7))
def test_the_cut_of_the_chunks_changes_nothing(data: bytes, size: int) -> None:
    assert list(scan(cut(data, size), LONGEST)) == expected(data)


@given(TELLING, st.lists(st.integers(0, 5), min_size=1))
def test_chunks_of_any_sizes_even_none_change_nothing(data: bytes, sizes: list[int]) -> None:
    def chunks() -> Iterator[bytes]:
        at = 0
        for size in sizes:
            yield data[at : at + size]
            at += size
        yield data[at:]

    assert list(scan(chunks(), LONGEST)) == expected(data)


@given(TELLING, st.integers(1, 7), st.integers(1, 20))
def test_a_line_over_the_limit_is_found_without_its_text(data: bytes, size: int, longest: int) -> None:
    assert list(scan(cut(data, size), longest)) == expected(data, longest)


@given(TELLING)
def test_offset_and_size_give_back_the_line_and_all_but_blank_lines_are_there(data: bytes) -> None:
    found = list(scan(iter([data]), LONGEST))
    assert [data[each.offset : each.offset + each.size] for each in found] == [each.text for each in found]
    assert b"".join(each.text or b"" for each in found).split() == data.split()
    assert [each.number for each in found] == sorted({each.number for each in found})


@pytest.mark.parametrize("size", [EDGE - 1, EDGE, EDGE + 1])
@pytest.mark.parametrize("length", [EDGE - 2, EDGE - 1, EDGE, EDGE + 1])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_end_at_the_edge_of_a_chunk_is_one_line_end(size: int, length: int, end: bytes) -> None:
    data = b"x" * length + b"\n" + b"\n" + "é".encode() * 3 + end
    assert list(scan(cut(data, size), LONGEST)) == expected(data)


def test_blank_lines_are_left_out_but_numbered_as_an_editor_does() -> None:
    data = b"\n  \r\n{1}\r\n\n\t\n{2}"
    assert [(each.number, each.text) for each in scan([data], LONGEST)] == [(3, b"{1}\r\n"), (6, b"{2}")]


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\r\n  \n", b"   "])
def test_an_input_without_a_request_has_no_lines(data: bytes) -> None:
    assert list(scan([data], LONGEST)) == []


@pytest.mark.parametrize("end", [b"\n", b""])
def test_the_limit_itself_is_allowed_and_one_more_is_not(end: bytes) -> None:
    assert [each.text is None for each in scan([b"x" * (10 - len(end)) + end], 10)] == [False]
    assert [each.text is None for each in scan([b"x" * (11 - len(end)) + end], 10)] == [True]


def test_a_line_far_over_the_limit_is_never_held() -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(4_000):
            yield bytes(1_000)  # NUL is no blank
        yield b"\n{}"

    tracemalloc.start()
    long, short = scan(chunks(), 10_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (long.text, long.size, long.number) == (None, 4_000_001, 1)
    assert (short.text, short.offset, short.number) == (b"{}", 4_000_001, 2)
    assert most < 100_000


@given(TELLING | st.binary(max_size=300), st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(1, 60))
def test_blocks_are_the_input_in_whole_lines_however_the_bytes_come(
    data: bytes, sizes: list[int], longest: int
) -> None:
    starts = [0, *itertools.accumulate(itertools.islice(itertools.cycle(sizes), len(data)))]
    chunks = (data[start:stop] for start, stop in itertools.pairwise([*starts, max(len(data), starts[-1])]))
    found = [each for block in blocks(chunks, longest) for each in zip(*block, strict=True)]
    lines = [line for line in re.findall(rb"[^\n]*\n?", data) if line]
    assert [size for _, size in found] == [len(line) for line in lines]
    for (text, size), line in zip(found, lines, strict=True):
        assert text == line or (text == b"" and size > longest)


def test_lines_that_come_in_one_chunk_come_in_one_block() -> None:
    data = b"{}\n" * 100_000
    assert [len(block.lines) for block in blocks([data[:100], data[100:]], LONGEST)] == [33, 99_967]


def test_a_block_s_line_far_over_the_limit_is_never_held() -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(4_000):
            yield bytes(1_000)
        yield b"\n{}"

    tracemalloc.start()
    found = list(blocks(chunks(), 10_000))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [([b""], [4_000_001]), ([b"{}"], [2])]
    assert most < 100_000
