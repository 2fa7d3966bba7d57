"""Runs whose positions interleave are merged, and each is open only while its lines are due."""

from collections.abc import Iterator
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from batchyard.lines.merging import ALL_PIECES, LARGEST_PIECE, SMALLEST_PIECE, MergeInput, RunBlock, merged, piece_of


class Inputs:
    """Inputs to merge, and which of them are open: begun, and not yet read to their end."""

    def __init__(self, inputs: list[dict[int, bytes]], early: int, at_once: int = 1) -> None:
        self.bounds = [(min(each, default=0) - early, max(each, default=-1)) for each in inputs]
        self.open: set[int] = set()
        self.begun: list[int] = []
        self.at_once = at_once
        self.given = [
            MergeInput(first, last, partial(self._read, at, inputs[at])) for at, (first, last) in enumerate(self.bounds)
        ]

    def _read(self, at: int, lines_of: dict[int, bytes], piece: int) -> Iterator[RunBlock]:
        assert piece == LARGEST_PIECE
        self.begun.append(at)
        self.open.add(at)
        lines = sorted(lines_of.items())
        for first in range(0, len(lines), self.at_once):
            some = lines[first : first + self.at_once]
            data = [line for _, line in some]
            yield RunBlock([position for position, _ in some], list(map(len, data)), b"".join(data))
        self.open.remove(at)

    def around(self, position: int) -> set[int]:
        return {at for at, (first, last) in enumerate(self.bounds) if first <= position <= last}


@given(st.dictionaries(st.integers(0, 200), st.integers(0, 6), max_size=60), st.integers(0, 5), st.integers(1, 9))
def test_inputs_are_merged_in_order_and_none_is_open_before_or_after_its_lines_are_due(
    owners: dict[int, int], early: int, at_once: int
) -> None:
    inputs = Inputs(
        [{at: b"%d," % at for at, owner in owners.items() if owner == each} for each in range(7)], early, at_once
    )
    found, count = b"", 0
    for lines in merged(inputs.given):
        assert inputs.open <= inputs.around(lines.last)
        found, count = found + lines.data, count + lines.lines
        assert found.endswith(b"%d," % lines.last)
    assert found == b"".join(b"%d," % at for at in sorted(owners))
    assert count == len(owners)
    assert sorted(inputs.begun) == list(range(7))
    assert inputs.open == set()


def test_a_thousand_inputs_one_after_another_are_read_one_at_a_time() -> None:
    inputs = Inputs([{at: b"x"} for at in range(1_000)], 0)
    assert [len(inputs.open) for _ in merged(inputs.given)] == [1] * 1_000


def test_lines_of_one_input_are_taken_together_until_another_has_one() -> None:
    inputs = Inputs([{0: b"a", 1: b"b", 5: b"f"}, {2: b"c", 3: b"d", 4: b"e"}], 0, at_once=9)
    assert [lines[:3] for lines in merged(inputs.given)] == [(1, 2, b"ab"), (4, 3, b"cde"), (5, 1, b"f")]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), min_size=1, max_size=12))
def test_as_many_inputs_as_are_open_together_share_the_bytes_there_are(bounds: list[tuple[int, int]]) -> None:
    def begin(_: int) -> Iterator[RunBlock]:
        return iter(())

    many = [MergeInput(first, first + length, begin) for first, length in bounds for _ in range(1_000)]
    most = max(sum(each.first <= at <= each.last for each in many) for at in range(41))
    assert piece_of(many) == max(SMALLEST_PIECE, ALL_PIECES // most)
    assert piece_of(many[:1]) == LARGEST_PIECE
    assert piece_of([]) == LARGEST_PIECE
