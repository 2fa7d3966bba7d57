"""Shards that each fit one provider batch, and together are the batch."""

from array import array
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.token_limits import estimated
from batchyard.lines.line import EMBEDDINGS, Body, Line, embedding_inputs, parse
from batchyard.lines.shard_lines import Place, ShardLines
from batchyard.planning import splitting
from batchyard.planning.splitting import ShardLimits, Splitter
from tests.unit.batchyard.lines.found_lines import Found, scan

Made = tuple[str, str, int, int]  # url, model, embedding inputs, padding
MADE: st.SearchStrategy[list[Made]] = st.lists(
    st.tuples(
        st.sampled_from(["/v1/responses", EMBEDDINGS]),
        st.sampled_from(["m", "n"]),
        st.integers(1, 4),
        st.integers(0, 120),
    ),
    max_size=40,
)
LIMITS = st.builds(
    ShardLimits,
    st.integers(1, 7),
    st.integers(300, 900),
    st.integers(4, 9),
    st.just(0) | st.integers(30, 200),
    least=st.sampled_from([1, 1, 2, 3, 5]),
)


def write(made: list[Made], between: bytes = b"") -> bytes:
    text = '{"custom_id":"r%d","method":"POST","url":"%s","body":{"model":"%s","input":[%s]}}%s\n'
    rows = [
        text % (at, url, model, ",".join(['"é"'] * inputs), " " * padding)
        for at, (url, model, inputs, padding) in enumerate(made)
    ]
    return between.join(row.encode() for row in rows)


def split(data: bytes, limits: ShardLimits) -> tuple[list[ShardLines], list[tuple[Found, Line]]]:
    splitter, shards, lines = Splitter(), [], []
    for position, found in enumerate(scan([data], 10_000)):
        assert found.text is not None
        line = parse(found.text)
        lines.append((found, line))
        closed = splitter.add(Place(position, found.number, found.offset), found.size, line, limits)
        shards += [closed] if closed else []
    for _ in range(2):  # once more changes nothing
        splitter.share_out(lambda *_: limits)
        ended = splitter.open_shards()
    shards += ended
    assert len(shards) == splitter.shards
    return sorted(shards, key=lambda shard: shard.shard), lines


def every(shard: ShardLines) -> "array[int]":
    return array("I", range(len(shard)))


@given(MADE, LIMITS)
def test_every_line_is_in_exactly_one_shard_in_order(made: list[Made], limits: ShardLimits) -> None:
    shards, lines = split(write(made), limits)
    assert Counter(position for shard in shards for position in shard.positions) == Counter(range(len(lines)))
    assert [shard.shard for shard in shards] == list(range(len(shards)))
    for shard in shards:
        assert list(shard.positions) == sorted(shard.positions)
        assert shard.custom_ids == [lines[position][1].custom_id for position in shard.positions]
        assert list(shard.numbers) == [lines[position][0].number for position in shard.positions]


@given(MADE, LIMITS)
def test_a_shard_has_one_endpoint_and_one_model_and_keeps_every_limit(made: list[Made], limits: ShardLimits) -> None:
    shards, lines = split(write(made), limits)
    for shard in shards:
        own = [lines[position] for position in shard.positions]
        assert {(line.url, line.body.model) for _, line in own} == {(shard.endpoint, shard.model)}
        assert 1 <= len(own) <= limits.requests
        assert sum(found.size for found, _ in own) == shard.size <= limits.bytes
        assert not limits.tokens or estimated(shard.size) <= limits.tokens or len(shard) == 1
        assert sum(embedding_inputs(line) for _, line in own) == shard.embedding_inputs <= limits.embedding_inputs


@given(MADE, LIMITS)
def test_no_shard_is_closed_while_the_next_line_of_its_kind_fits(made: list[Made], limits: ShardLimits) -> None:
    shards, lines = split(write(made), limits)
    for at, shard in enumerate(shards):
        after = next(
            (each for each in shards[at + 1 :] if (each.endpoint, each.model) == (shard.endpoint, shard.model)), None
        )
        if after is not None:
            found, line = lines[after.positions[0]]
            assert (
                len(shard) == limits.requests
                or shard.size + found.size > limits.bytes
                or estimated(shard.size + found.size) > (limits.tokens or limits.bytes)
                or shard.embedding_inputs + embedding_inputs(line) > limits.embedding_inputs
                or len(after) == limits.least > 1  # the last one took some, to have as many as a batch needs
            )


@given(MADE, LIMITS, st.sampled_from([b"", b"\n", b"  \r\n"]), st.data())
def test_the_ranges_hold_exactly_the_bytes_of_the_lines_asked_for(
    made: list[Made], limits: ShardLimits, between: bytes, data: st.DataObject
) -> None:
    text = write(made, between)
    shards, lines = split(text, limits)
    for shard in shards:
        asked = sorted(data.draw(st.sets(st.sampled_from(range(len(shard))), min_size=1)))
        ranges = list(shard.ranges(array("I", asked)))
        wanted = [lines[shard.positions[ordinal]][0].text or b"" for ordinal in asked]
        assert b"".join(text[start:stop] for start, stop in ranges) == b"".join(wanted)
        assert all(stop < start for (_, stop), (start, _) in pairwise(ranges))  # neighbours are joined


def test_no_lines_have_no_ranges() -> None:
    (shard,), _ = split(write([("/v1/responses", "m", 1, 0)]), ShardLimits(5, 900, 9))
    assert list(shard.ranges(array("I"))) == []


def test_lines_beside_each_other_are_one_range() -> None:
    text = write([("/v1/responses", "m", 1, 0)] * 5)
    (shard,), _ = split(text, ShardLimits(5, 10_000, 9))
    assert list(shard.ranges(every(shard))) == [(0, len(text))]


@given(MADE, LIMITS)
def test_a_shard_read_back_is_the_shard_written(made: list[Made], limits: ShardLimits) -> None:
    for shard in split(write(made), limits)[0]:
        back = ShardLines.unpack(shard.pack())
        assert (back.shard, back.endpoint, back.model, back.size) == (
            shard.shard,
            shard.endpoint,
            shard.model,
            shard.size,
        )
        assert (back.positions, back.offsets, back.sizes) == (shard.positions, shard.offsets, shard.sizes)
        assert back.custom_ids == shard.custom_ids


def test_a_line_that_no_limit_fits_stands_alone() -> None:
    made: list[Made] = [(EMBEDDINGS, "m", 1, 0), (EMBEDDINGS, "m", 4, 0), (EMBEDDINGS, "m", 1, 0)]
    shards, _ = split(write(made), ShardLimits(5, 10_000, 3))
    assert [list(shard.positions) for shard in shards] == [[0], [1], [2]]


def test_offsets_past_four_gigabytes_are_kept() -> None:
    shard = ShardLines(0, "/v1/responses", "m")
    shard.add(Place(2**40, 2**40, 2**40), ["a"], [2**32 - 1])
    assert list(ShardLines.unpack(shard.pack()).ranges(array("I", [0]))) == [(2**40, 2**40 + 2**32 - 1)]


@given(MADE, LIMITS, st.data())
def test_lines_added_to_a_shard_that_was_read_back_go_on_with_it(
    made: list[Made], limits: ShardLimits, draw: st.DataObject
) -> None:
    for shard in split(write(made), limits)[0]:
        cut = draw.draw(st.integers(0, len(shard)))
        again = ShardLines(shard.shard, shard.endpoint, shard.model, embedding_inputs=shard.embedding_inputs)
        for ordinal in range(len(shard)):
            again = ShardLines.unpack(again.pack()) if ordinal == cut else again
            place = Place(shard.positions[ordinal], shard.numbers[ordinal], shard.offsets[ordinal])
            again.add(place, [shard.custom_ids[ordinal]], [shard.sizes[ordinal]])
        assert again.pack() == shard.pack()


def test_neighbours_are_stored_in_a_few_bytes_each() -> None:
    shard = ShardLines(0, "/v1/responses", "m")
    shard.add(Place(7, 8, 11), [f"r{at:08}" for at in range(10_000)], [600] * 10_000)
    shard.add(Place(10_007, 10_008, 11 + 600 * 10_000), ["last"], [600])
    assert len(shard.pack()) < 16 * len(shard)


def test_of_very_many_open_lines_the_longest_shard_is_closed_before_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "MOST_OPEN", 20)
    shards, lines = split(
        write([("/v1/responses", f"m{at % 7}", 1, 0) for at in range(200)]), ShardLimits(50, 10_000, 9)
    )
    assert Counter(position for shard in shards for position in shard.positions) == Counter(range(len(lines)))
    assert max(map(len, shards)) <= 20
    assert min(map(len, shards[:-7])) >= 3


def test_of_much_text_in_open_lines_the_shard_with_most_is_closed_before_it_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(splitting, "MOST_OPEN_TEXT", 1_000)
    splitter, limits, held, most = Splitter(), ShardLimits(1_000, 10**9, 9), 0, 0
    for at in range(600):
        custom_id = f"{at:0{1 + 40 * (at % 3)}}"
        line = Line(custom_id, "POST", "/v1/responses", Body(f"m{at % 3}"))
        closed = splitter.add(Place(at, at + 1, 1_000 * at), 1_000, line, limits)
        held += len(custom_id) - sum(map(len, closed.custom_ids if closed else []))
        most = max(most, held)
        assert closed is None or sum(map(len, closed.custom_ids)) >= 1_000 / 3
    assert 900 <= most <= 1_000
    assert sum(len(custom_id) for shard in splitter.open_shards() for custom_id in shard.custom_ids) == held


@given(MADE, LIMITS)
def test_a_last_shard_has_the_least_number_of_lines_where_the_one_before_can_spare_some(
    made: list[Made], limits: ShardLimits
) -> None:
    shards, _ = split(write(made), limits)
    by_target: dict[tuple[str, str], list[ShardLines]] = {}
    for shard in shards:
        by_target.setdefault((shard.endpoint, shard.model), []).append(shard)
    for *_, before, last in (each for each in by_target.values() if len(each) > 1):
        spare = before.sizes[len(before) - (limits.least - len(last)) :]
        could = len(before) + len(last) >= 2 * limits.least and limits.fit(limits.least, last.size + sum(spare))
        assert len(last) >= limits.least or not could or last.endpoint == EMBEDDINGS


@given(MADE, LIMITS, st.integers(0, 40))
def test_held_shards_go_on_from_a_checkpoint(made: list[Made], limits: ShardLimits, stop: int) -> None:
    data = write(made)
    splitter, shards = Splitter(), list[ShardLines]()
    for position, found in enumerate(scan([data], 10_000)):
        if position == stop:
            packed = [ShardLines.unpack(each.pack()) for each in splitter.open_shards()]
            splitter = Splitter(splitter.shards, packed)
        assert found.text is not None
        closed = splitter.add(Place(position, found.number, found.offset), found.size, parse(found.text), limits)
        shards += [closed] if closed else []
    splitter.share_out(lambda *_: limits)
    whole, _ = split(data, limits)
    assert [each.pack() for each in sorted([*shards, *splitter.open_shards()], key=lambda each: each.shard)] == [
        each.pack() for each in whole
    ]
