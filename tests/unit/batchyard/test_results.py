"""Shards whose lines lie among each other's are merged; others follow one another."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from batchyard.batch import LineError
from batchyard.outcomes import Outcome, code_of, outcome_of, parse
from batchyard.results import answer_line, groups
from batchyard.shard import Shard


def shard(number: int, first: int, last: int) -> Shard:
    return Shard(batch_id="b", shard=number, endpoint="e", model="m", lines=1, first=first, last=last, unfinished=0)


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


def test_a_line_without_an_answer_of_its_own_reads_like_the_provider_s() -> None:
    line = answer_line("batch_1", 7, "é\n", LineError("batch_expired", "late"))
    parsed = parse(line)
    assert parsed is not None
    assert (parsed.custom_id, outcome_of(parsed), code_of(parsed)) == ("é\n", Outcome.UNFINISHED, "batch_expired")
    assert line.count(b"\n") == 1
    assert line == answer_line("batch_1", 7, "é\n", LineError("batch_expired", "late"))
    assert line != answer_line("batch_1", 8, "é\n", LineError("batch_expired", "late"))
