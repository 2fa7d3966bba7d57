"""Find custom_ids that are used twice in a batch of any number of lines, in bounded memory."""

import hashlib
import heapq
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from batchyard.lines.shard_lines import ShardLines
from batchyard.planning.ascending_ids import LONGEST_KEPT, AscendingIds

MOST_HASHES: Final = 8_000_000  # held at a time, 8 bytes each; the ids of more lines are compared in parts
MOST_FRESH: Final = 1_000  # custom_ids that are held before they are taken in
HASHES_PER_BUCKET: Final = 25_000  # a set of so many hashes stays in the processor's cache
BUCKETS: Final = 64  # of the hashes of a pass, whose number is not known before
MOST_SUSPECTS: Final = 100_000  # hashes whose custom_ids are compared in one pass
ENCODING: Final = ("utf-8", "surrogatepass")

Shards = Callable[[], Iterable[ShardLines]]
IsOwn = Callable[[str], bool]
Ordinals = dict[int, "array[int]"]
Buckets = list["array[int]"]


class Duplicate(NamedTuple):
    """A line whose custom_id an earlier line has."""

    position: int
    number: int
    custom_id: str


class Repeats(msgspec.Struct):
    """The lines found so far whose custom_id an earlier line has."""

    #: How many parts of the ids are compared.
    part: int = 0
    #: The ordinals of the lines by shard, packed.
    ordinals: dict[int, bytes] = {}

    def __len__(self) -> int:
        """Count the lines."""
        return sum(map(len, self.ordinals.values())) // array("I").itemsize

    def of(self, shard: int) -> "array[int]":
        """Return the ordinals of the lines found in a shard, ascending."""
        return array("I", sorted(array("I", self.ordinals.get(shard, b""))))


class Ids:
    """What is kept of the custom_ids of a pass: the ends of ascending sequences as long as that will do, else hashes."""

    def __init__(self) -> None:
        """Begin with no id."""
        self._fresh: list[str] = []
        self._fresh_size = 0  # characters
        self._ascending: AscendingIds | None = AscendingIds()
        self._hashes: Buckets | None = [array("q") for _ in range(BUCKETS)]
        self._hashed = 0

    def differ(self) -> bool:
        """Tell whether all ids surely differ."""
        self._take_in()
        return self._ascending is not None and self._ascending.differ()

    def hashes(self) -> "Buckets | None":
        """Return the hashes of all ids, with equal hashes in one bucket; None if they are not kept."""
        self._take_in()
        return self._hashes if self._ascending is None else None

    def add(self, custom_ids: list[str]) -> None:
        """Take the next ids of the input."""
        self._fresh += custom_ids
        self._fresh_size += sum(map(len, custom_ids))
        if len(self._fresh) >= MOST_FRESH or self._fresh_size >= MOST_FRESH * LONGEST_KEPT:
            self._take_in()

    def _take_in(self) -> None:
        fresh, self._fresh, self._fresh_size = self._fresh, [], 0
        if self._ascending is not None:
            taken = self._ascending.count
            if self._ascending.take(fresh):
                return
            self._ascending = None
            self._hashes = None if taken else self._hashes  # no hashes of the ids taken before
        if self._hashes is not None:
            _distribute(map(hash, fresh), self._hashes)
            self._hashed += len(fresh)
            self._hashes = self._hashes if self._hashed < MOST_HASHES else None


def find_repeats(shards: Shards, lines: int, repeats: Repeats, ids: Ids | None = None) -> None:
    """Add to `repeats` every line whose custom_id an earlier line of the input has.

    `shards` begins a new pass over the shards' lines. Hashes are compared first, and those of `ids` are used up if they were
    kept. Then the text is compared, so ids that only hash alike are not confused. Goes on with part `repeats.part`.
    """
    parts = 1 + lines // MOST_HASHES
    if ids is not None and ids.differ():
        repeats.part = parts
    hashes = ids.hashes() if ids is not None else None
    while repeats.part < parts:
        own = partial(_is_of, parts, repeats.part)
        if hashes is None or parts > 1:
            hashes = [array("q") for _ in range(1 + lines // parts // HASHES_PER_BUCKET)]
            _distribute(_hashes(shards, parts, own), hashes)
        found: Ordinals = {}
        for suspects in _suspects(hashes):
            _compare(shards, suspects, own, found)
        for shard, ordinals in found.items():
            repeats.ordinals[shard] = repeats.ordinals.get(shard, b"") + ordinals.tobytes()
        repeats.part += 1
        hashes = None


def earliest(shards: Iterable[ShardLines], repeats: Repeats, most: int) -> list[Duplicate]:
    """List the first `most` of the lines found, in input order; `shards` are those with a line in `repeats`."""
    return heapq.nsmallest(
        most,
        (
            Duplicate(shard.positions[ordinal], shard.numbers[ordinal], shard.custom_ids[ordinal])
            for shard in shards
            for ordinal in repeats.of(shard.shard)
        ),
    )


def first_numbers(shards: Iterable[ShardLines], custom_ids: Collection[str]) -> dict[str, int]:
    """Return, for each of a few custom_ids, the number of the first line in the input that has it."""
    found: dict[str, tuple[int, int]] = {}
    for shard in shards:
        for ordinal, custom_id in enumerate(shard.custom_ids):
            if custom_id in custom_ids:
                place = (shard.positions[ordinal], shard.numbers[ordinal])
                found[custom_id] = min(place, found.get(custom_id, place))
    return {custom_id: number for custom_id, (_, number) in found.items()}


def _hashes(shards: Shards, parts: int, own: IsOwn) -> Iterator[int]:
    """Yield the hashes of the custom_ids of a part."""
    for shard in shards():
        yield from map(hash, shard.custom_ids if parts == 1 else filter(own, shard.custom_ids))


def _is_of(parts: int, part: int, custom_id: str) -> bool:
    """Tell whether a custom_id is in the part; the answer must be the same in every process, unlike Python's hashes."""
    return crc32(custom_id.encode(*ENCODING)) % parts == part


def _distribute(hashes: Iterable[int], buckets: Buckets) -> None:
    """Put hashes into buckets, equal hashes into the same one."""
    appends, count = [bucket.append for bucket in buckets], len(buckets)
    for each in hashes:
        appends[each % count](each)


def _suspects(buckets: Buckets) -> Iterator[set[int]]:
    """Yield the hashes that occur more than once, in sets of about MOST_SUSPECTS; `buckets` is empty at the end."""
    suspects: set[int] = set()
    while buckets:
        suspects |= _repeated(buckets.pop())
        if len(suspects) >= MOST_SUSPECTS:
            yield suspects
            suspects = set()
    if suspects:
        yield suspects


def _repeated(hashes: "array[int]") -> set[int]:
    """Return the hashes that occur more than once; nearly always there is none."""
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
    """Compare the custom_ids of the part that have these hashes; note every line but the first one of each id."""
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
    return custom_id if len(custom_id) <= LONGEST_KEPT else hashlib.sha256(custom_id.encode(*ENCODING)).digest()


def _note(place: int, found: Ordinals) -> None:
    shard, ordinal = divmod(place & (1 << 64) - 1, 1 << 32)
    found.setdefault(shard, array("I")).append(ordinal)
