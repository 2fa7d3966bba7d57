"""Find custom_ids that are used twice in a batch of any number of lines, in bounded memory."""

import hashlib
import heapq
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from batchyard.lines.shard_lines import ShardLines
from batchyard.planning.ascending_ids import LONG, AscendingIds

MOST_AT_ONCE: Final = 8_000_000  # hashes held at a time, 8 bytes each; more lines are looked through in parts
AT_ONCE: Final = 1_000  # custom_ids taken in at a time
FEW: Final = 25_000  # hashes compared at a time: a set of them stays in the processor's cache
BUCKETS: Final = 64  # of the hashes at hand, which are not counted before
MOST_SUSPECTS: Final = 100_000  # custom_ids compared at a time
ENCODING: Final = ("utf-8", "surrogatepass")

Shards = Callable[[], Iterable[ShardLines]]
IsOwn = Callable[[str], bool]
Ordinals = dict[int, "array[int]"]
Buckets = list["array[int]"]


class Duplicate(NamedTuple):
    """A line whose custom_id an earlier line has: its position, its number as an editor counts, and the custom_id."""

    position: int
    number: int
    custom_id: str


class Repeats(msgspec.Struct):
    """The lines whose custom_id was used before, as ordinals by shard, as far as was looked: in `part` parts of all lines."""

    part: int = 0
    ordinals: dict[int, bytes] = {}

    def __len__(self) -> int:
        """Count the lines."""
        return sum(map(len, self.ordinals.values())) // array("I").itemsize

    def of(self, shard: int) -> "array[int]":
        """List the ordinals of a shard's lines, ascending."""
        return array("I", sorted(array("I", self.ordinals.get(shard, b""))))


class Ids:
    """The custom_ids of a pass while they are at hand: their stretches as long as they ascend, or their hashes."""

    def __init__(self) -> None:
        """Begin with none."""
        self._fresh: list[str] = []
        self._fresh_size = 0  # characters
        self._stretches: AscendingIds | None = AscendingIds()
        self._hashes: Buckets | None = [array("q") for _ in range(BUCKETS)]
        self._hashed = 0

    def differ(self) -> bool:
        """Tell whether they surely all differ."""
        self._take_in()
        return self._stretches is not None and self._stretches.differ()

    def hashes(self) -> "Buckets | None":
        """Return the hashes of all, equal ones in one bucket, if they are kept."""
        self._take_in()
        return self._hashes if self._stretches is None else None

    def add(self, custom_ids: list[str]) -> None:
        """Take more."""
        self._fresh += custom_ids
        self._fresh_size += sum(map(len, custom_ids))
        if len(self._fresh) >= AT_ONCE or self._fresh_size >= AT_ONCE * LONG:
            self._take_in()

    def _take_in(self) -> None:
        fresh, self._fresh, self._fresh_size = self._fresh, [], 0
        if self._stretches is not None:
            taken = self._stretches.count
            if self._stretches.take(fresh):
                return
            self._stretches = None
            self._hashes = None if taken else self._hashes  # those taken were let go
        if self._hashes is not None:
            _deal(map(hash, fresh), self._hashes)
            self._hashed += len(fresh)
            self._hashes = self._hashes if self._hashed < MOST_AT_ONCE else None


def look_through(shards: Shards, lines: int, repeats: Repeats, ids: Ids | None = None) -> None:
    """Find every line whose custom_id an earlier line of the input has; `shards` begins a new pass over the shards' lines.

    Goes on with the part that `repeats` names. Hashes are compared first, those of `ids`, which are taken, if they are at
    hand. What they say is checked against the text, so two ids that only hash alike are not confused.
    """
    parts = 1 + lines // MOST_AT_ONCE
    if ids is not None and ids.differ():
        repeats.part = parts
    hashes = ids.hashes() if ids is not None else None
    while repeats.part < parts:
        own = partial(_is_of, parts, repeats.part)
        if hashes is None or parts > 1:
            hashes = [array("q") for _ in range(1 + lines // parts // FEW)]
            _deal(_hashes(shards, parts, own), hashes)
        found: Ordinals = {}
        for suspects in _suspects(hashes):
            _compare(shards, suspects, own, found)
        for shard, ordinals in found.items():
            repeats.ordinals[shard] = repeats.ordinals.get(shard, b"") + ordinals.tobytes()
        repeats.part += 1
        hashes = None


def earliest(shards: Iterable[ShardLines], repeats: Repeats, most: int) -> list[Duplicate]:
    """List the first lines in input order of those found, at most so many, of the shards that have any."""
    return heapq.nsmallest(
        most,
        (
            Duplicate(shard.positions[ordinal], shard.numbers[ordinal], shard.custom_ids[ordinal])
            for shard in shards
            for ordinal in repeats.of(shard.shard)
        ),
    )


def _hashes(shards: Shards, parts: int, own: IsOwn) -> Iterator[int]:
    """Yield the hashes of a part."""
    for shard in shards():
        yield from map(hash, shard.custom_ids if parts == 1 else filter(own, shard.custom_ids))


def _is_of(parts: int, part: int, custom_id: str) -> bool:
    """Tell whether a custom_id is in the part, which must not change with the process, as Python's hashes do."""
    return crc32(custom_id.encode(*ENCODING)) % parts == part


def _deal(hashes: Iterable[int], buckets: Buckets) -> None:
    """Put hashes into buckets, so that equal ones meet in one."""
    appends, count = [bucket.append for bucket in buckets], len(buckets)
    for each in hashes:
        appends[each % count](each)


def _suspects(buckets: Buckets) -> Iterator[set[int]]:
    """Yield the hashes that occur more than once in a bucket, in sets that are not large; each bucket is let go of."""
    suspects: set[int] = set()
    while buckets:
        suspects |= _repeated(buckets.pop())
        if len(suspects) >= MOST_SUSPECTS:
            yield suspects
            suspects = set()
    if suspects:
        yield suspects


def _repeated(hashes: "array[int]") -> set[int]:
    """List the hashes that occur more than once; nearly always none."""
    seen = set(hashes)
    if len(seen) == len(hashes):
        return set()
    repeated = set()
    for each in hashes:
        if each in seen:
            seen.remove(each)
        else:
            repeated.add(each)
    return repeated


def _compare(shards: Shards, suspects: set[int], own: IsOwn, found: Ordinals) -> None:
    """Compare the part's own custom_ids of these hashes, and note all lines but the first of each."""
    first: dict[str | bytes, int] = {}
    for shard in shards():
        for ordinal, each in enumerate(map(hash, shard.custom_ids)):
            if each in suspects and own(shard.custom_ids[ordinal]):
                place = shard.positions[ordinal] << 64 | shard.shard << 32 | ordinal
                earlier = first.setdefault(_key(shard.custom_ids[ordinal]), place)
                if earlier != place:
                    first[_key(shard.custom_ids[ordinal])] = min(earlier, place)
                    _note(max(earlier, place), found)


def _key(custom_id: str) -> str | bytes:
    return custom_id if len(custom_id) <= LONG else hashlib.sha256(custom_id.encode(*ENCODING)).digest()


def _note(place: int, found: Ordinals) -> None:
    shard, ordinal = divmod(place & (1 << 64) - 1, 1 << 32)
    found.setdefault(shard, array("I")).append(ordinal)
