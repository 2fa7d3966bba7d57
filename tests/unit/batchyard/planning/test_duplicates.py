"""Every custom_id used before is found, however many lines there are, and none that only hashes like another."""

import contextlib
import tracemalloc
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchyard.lines.shard_lines import Place, ShardLines
from batchyard.planning import ascending_ids
from batchyard.planning import duplicates as module
from batchyard.planning.duplicates import Duplicate, Ids, Repeats, earliest, find_repeats, first_numbers


class Alike(str):
    """A custom_id whose hash all others of this class share, as two of millions may by chance."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 7


class Passes:
    """Shards of these custom_ids, their positions dealt round; counts how often they were read."""

    def __init__(self, custom_ids: list[str], shards: int) -> None:
        self.count = 0
        self._shards = [ShardLines(number, "e", "m") for number in range(shards)]
        for position, custom_id in enumerate(custom_ids):
            self._shards[position % shards].add(Place(position, position + 1, 10 * position), [custom_id], [10])

    def __call__(self) -> Iterator[ShardLines]:
        self.count += 1
        return iter(self._shards)


def duplicates(passes: Passes, lines: int, ids: Ids | None = None) -> list[Duplicate]:
    repeats = Repeats()
    find_repeats(passes, lines, repeats, ids)
    found = earliest([shard for shard in passes() if shard.shard in repeats.ordinals], repeats, lines)
    assert len(found) == len(repeats)
    return found


def plainly(custom_ids: list[str]) -> list[Duplicate]:
    seen: list[str] = []
    found = []
    for position, custom_id in enumerate(custom_ids):
        if any(str.__eq__(custom_id, each) for each in seen):
            found.append(Duplicate(position, position + 1, custom_id))
        seen.append(custom_id)
    return found


IDS = st.lists(
    st.text("ab", min_size=1, max_size=3) | st.text("ab", max_size=2).map(lambda text: Alike("~" + text)), max_size=40
)
FEW_AND_MOST = [(400_000, 8_000_000), (3, 8_000_000), (3, 100), (2, 5), (1, 1)]


@pytest.mark.parametrize(("few", "most"), FEW_AND_MOST)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(custom_ids=IDS, shards=st.integers(1, 5))
def test_the_lines_found_are_those_whose_id_came_before(
    monkeypatch: pytest.MonkeyPatch, few: int, most: int, custom_ids: list[str], shards: int
) -> None:
    monkeypatch.setattr(module, "HASHES_PER_BUCKET", few)
    monkeypatch.setattr(module, "MOST_HASHES", most)
    assert duplicates(Passes(custom_ids, shards), len(custom_ids)) == plainly(custom_ids)


@given(custom_ids=IDS, shards=st.integers(1, 5))
def test_the_first_line_of_an_id_is_found_whatever_the_order_of_the_shards(custom_ids: list[str], shards: int) -> None:
    wanted = {each.custom_id for each in plainly(custom_ids)}
    backwards = reversed(list(Passes(custom_ids, shards)()))
    assert first_numbers(backwards, wanted) == {each: custom_ids.index(each) + 1 for each in wanted}


def test_the_earliest_are_told_where_not_all_are_wanted() -> None:
    passes, repeats = Passes(["a", "b", "a", "b", "a"], 2), Repeats()
    find_repeats(passes, 5, repeats)
    assert earliest(passes(), repeats, 2) == [Duplicate(2, 3, "a"), Duplicate(3, 4, "b")]


@pytest.mark.parametrize(("few", "most"), FEW_AND_MOST)
def test_ids_that_only_hash_alike_are_no_duplicates(monkeypatch: pytest.MonkeyPatch, few: int, most: int) -> None:
    monkeypatch.setattr(module, "HASHES_PER_BUCKET", few)
    monkeypatch.setattr(module, "MOST_HASHES", most)
    custom_ids: list[str] = [Alike(str(at)) for at in range(20)]
    assert duplicates(Passes(custom_ids, 3), 20) == []
    assert duplicates(Passes([*custom_ids, Alike("7")], 3), 21) == [Duplicate(20, 21, "7")]


@pytest.mark.parametrize(("few", "most"), FEW_AND_MOST)
@pytest.mark.parametrize("sequences", [0, 2, 300])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(custom_ids=IDS | IDS.map(sorted), shards=st.integers(1, 5), at_once=st.integers(1, 20))
def test_what_is_known_of_ids_at_hand_spares_a_pass_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    few: int,
    most: int,
    sequences: int,
    custom_ids: list[str],
    shards: int,
    at_once: int,
) -> None:
    monkeypatch.setattr(module, "HASHES_PER_BUCKET", few)
    monkeypatch.setattr(module, "MOST_HASHES", most)
    monkeypatch.setattr(module, "MOST_FRESH", at_once)
    monkeypatch.setattr(ascending_ids, "MOST_SEQUENCES", sequences)
    ids = Ids()
    for at in range(0, len(custom_ids), 3):
        ids.add(custom_ids[at : at + 3])
    assert duplicates(Passes(custom_ids, shards), len(custom_ids), ids) == plainly(custom_ids)


COUNTERS = [f"r{at}" for at in range(3_000)]
MIXED_UP = [f"{at * 7_919 % 3_001:x}" for at in range(3_000)]


@pytest.mark.parametrize(
    "custom_ids", [COUNTERS, MIXED_UP, [each * 100 for each in COUNTERS], COUNTERS[2_000:] + COUNTERS[:2_000]]
)
@pytest.mark.parametrize("at_a_time", [1, 100, 3_000])
def test_where_all_ids_differ_and_are_at_hand_no_shard_is_read(custom_ids: list[str], at_a_time: int) -> None:
    ids, repeats, passes = Ids(), Repeats(), Passes(custom_ids, 4)
    for at in range(0, len(custom_ids), at_a_time):
        ids.add(custom_ids[at : at + at_a_time])
    find_repeats(passes, len(custom_ids), repeats, ids)
    assert (passes.count, len(repeats), repeats.part) == (0, 0, 1)


@pytest.mark.parametrize("at", [1, 999, 1_000, 2_999])
@pytest.mark.parametrize("custom_ids", [COUNTERS, MIXED_UP])
def test_one_id_used_twice_among_thousands_is_found(custom_ids: list[str], at: int) -> None:
    twice = [*custom_ids[:at], custom_ids[0], *custom_ids[at:]]
    ids = Ids()
    ids.add(twice)
    assert duplicates(Passes(twice, 4), len(twice), ids) == [Duplicate(at, at + 1, custom_ids[0])]


def test_ids_that_begin_to_come_in_any_order_are_read_from_their_shards() -> None:
    custom_ids = [*COUNTERS, *MIXED_UP]
    ids, repeats, passes = Ids(), Repeats(), Passes(custom_ids, 4)
    for custom_id in custom_ids:
        ids.add([custom_id])
    find_repeats(passes, len(custom_ids), repeats, ids)
    assert (passes.count, len(repeats), repeats.part) == (1, 0, 1)


def test_few_long_ids_are_held_at_a_time() -> None:
    ids = Ids()
    tracemalloc.start()
    for at in range(200):
        ids.add([f"{at}" * 100_000])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000


def test_more_lines_take_more_parts_and_never_more_hashes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HASHES_PER_BUCKET", 500)
    monkeypatch.setattr(module, "MOST_HASHES", 5_000)
    passes = Passes([f"r{at}" for at in range(50_000)], 4)
    tracemalloc.start()
    find_repeats(passes, 50_000, Repeats())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert passes.count == 11
    assert most < 50_000 * 8 / 2  # bytes


def test_many_duplicates_are_compared_few_at_a_time_and_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HASHES_PER_BUCKET", 10)
    monkeypatch.setattr(module, "MOST_SUSPECTS", 50)
    compared: list[int] = []
    compare = module._compare  # noqa: SLF001 - its question is what is held

    def watched(shards: module.Shards, suspects: set[int], own: module.IsOwn, found: module.Ordinals) -> None:
        compared.append(len(suspects))
        compare(shards, suspects, own, found)

    monkeypatch.setattr(module, "_compare", watched)
    custom_ids = [f"r{at % 500}" for at in range(1_000)]
    assert duplicates(Passes(custom_ids, 3), 1_000) == plainly(custom_ids)
    assert (sum(compared), max(compared) < 100) == (
        500,
        True,
    )  # 50 and a bucket, whose size is up to the hashes' chance


def _left_after_a_part(passes: Passes, repeats: Repeats, part: int) -> Iterator[ShardLines]:
    for shard in passes():
        if repeats.part > part:
            raise TimeoutError
        yield shard


def test_a_look_that_was_left_goes_on_with_the_part_at_hand_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HASHES", 100)
    custom_ids = [f"r{at % 400}" for at in range(450)]
    repeats, parts = Repeats(), []
    while repeats.part < 5:
        parts.append(repeats.part)
        with contextlib.suppress(TimeoutError):
            find_repeats(partial(_left_after_a_part, Passes(custom_ids, 3), repeats, repeats.part), 450, repeats)
        repeats = msgspec.msgpack.decode(msgspec.msgpack.encode(repeats), type=Repeats)
    assert parts == [0, 1, 2, 3, 4]
    assert earliest(Passes(custom_ids, 3)(), repeats, 450) == plainly(custom_ids)


def test_a_long_custom_id_is_compared_as_a_whole() -> None:
    custom_ids = ["x" * 70_000 + "a", "x" * 70_000 + "b", "x" * 70_000 + "a", "\ud800" * 70, "\ud800" * 70]
    assert [each.position for each in duplicates(Passes(custom_ids, 2), 5)] == [2, 4]
