"""Every custom_id used before is found, however many lines there are, and none that only hashes like another."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchyard import duplicates as module
from batchyard.duplicates import Duplicate, Shards, earliest, repeats
from batchyard.splitting import ShardLines


class Alike(str):
    """A custom_id whose hash all of its kind share, as two of millions may by chance."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 7


class Passes:
    """Shards of these custom_ids, their positions dealt round; counts how often they were read."""

    def __init__(self, custom_ids: list[str], shards: int) -> None:
        self.count = 0
        self._shards = [ShardLines(number, "e", "m") for number in range(shards)]
        for position, custom_id in enumerate(custom_ids):
            self._shards[position % shards].add(position, 10 * position, [custom_id], [10])

    def __call__(self) -> Iterator[ShardLines]:
        self.count += 1
        return iter(self._shards)


def duplicates(shards: Shards, lines: int) -> list[Duplicate]:
    return earliest(repeats(shards, lines), lines)


def plainly(custom_ids: list[str]) -> list[Duplicate]:
    seen: list[str] = []
    found = []
    for position, custom_id in enumerate(custom_ids):
        if any(str.__eq__(custom_id, each) for each in seen):
            found.append(Duplicate(position, 10 * position, custom_id))
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
    monkeypatch.setattr(module, "FEW", few)
    monkeypatch.setattr(module, "MOST_AT_ONCE", most)
    assert duplicates(Passes(custom_ids, shards), len(custom_ids)) == plainly(custom_ids)


def test_the_earliest_are_told_where_not_all_are_wanted() -> None:
    passes = Passes(["a", "b", "a", "b", "a"], 2)
    assert earliest(repeats(passes, 5), 2) == [Duplicate(2, 20, "a"), Duplicate(3, 30, "b")]


@pytest.mark.parametrize(("few", "most"), FEW_AND_MOST)
def test_ids_that_only_hash_alike_are_no_duplicates(monkeypatch: pytest.MonkeyPatch, few: int, most: int) -> None:
    monkeypatch.setattr(module, "FEW", few)
    monkeypatch.setattr(module, "MOST_AT_ONCE", most)
    custom_ids: list[str] = [Alike(str(at)) for at in range(20)]
    assert duplicates(Passes(custom_ids, 3), 20) == []
    assert duplicates(Passes([*custom_ids, Alike("7")], 3), 21) == [Duplicate(20, 200, "7")]


def test_more_lines_take_more_passes_and_never_more_hashes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW", 10)
    monkeypatch.setattr(module, "MOST_AT_ONCE", 100)
    held: list[int] = []
    buckets = module._buckets  # noqa: SLF001 - its answer is what is held

    def watched(*args: object) -> object:
        made = buckets(*args)  # type: ignore[arg-type]  # handed through
        held.append(sum(map(len, made)))
        return made

    monkeypatch.setattr(module, "_buckets", watched)
    passes = Passes([f"r{at}" for at in range(1_000)], 4)
    assert duplicates(passes, 1_000) == []
    assert (passes.count, sum(held)) == (11, 1_000)
    assert max(held) < 200
