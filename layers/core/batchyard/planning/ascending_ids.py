"""Prove by their order alone that custom_ids all differ, as the numbers of a counter do; only a few ids are kept."""

from collections.abc import Iterator
from itertools import islice, pairwise
from operator import lt
from typing import Final

MOST_SEQUENCES: Final = 300
LONGEST_KEPT: Final = 64  # characters; no longer custom_id is kept

Key = tuple[int, str]  # by length, then by letter


class AscendingIds:
    """The custom_ids of a pass as sequences that ascend: the first and the last id of each sequence are kept.

    Only ids of the same length are compared, so request-10 may follow request-9, and test-9 may follow train-10.
    """

    def __init__(self) -> None:
        """Begin with no id."""
        self._ends: list[tuple[Key, Key]] = []
        self.count = 0

    def take(self, custom_ids: list[str]) -> bool:
        """Take the next ids of the input; False if the order cannot prove that all ids differ: then nothing is proved."""
        for first, last in _sequences(custom_ids):
            if self._ends and _ascends(self._ends[-1][1], first):
                self._ends[-1] = self._ends[-1][0], last
            else:
                self._ends.append((first, last))
            if len(self._ends) > MOST_SEQUENCES or last[0] > LONGEST_KEPT:
                return False
        self.count += len(custom_ids)
        return True

    def differ(self) -> bool:
        """Tell whether all ids surely differ: no sequence begins before another one has ended."""
        return all(earlier[1] < later[0] for earlier, later in pairwise(sorted(self._ends)))


def _sequences(custom_ids: list[str]) -> Iterator[tuple[Key, Key]]:
    """Yield the first and the last id of each sequence that ascends."""
    if len(set(map(len, custom_ids))) == 1 and all(map(lt, custom_ids, islice(custom_ids, 1, None))):
        yield _key(custom_ids[0]), _key(custom_ids[-1])
        return
    keys = list(map(_key, custom_ids))
    start = 0
    for stop in range(1, 1 + len(keys)):
        if stop == len(keys) or not _ascends(keys[stop - 1], keys[stop]):
            yield keys[start], keys[stop - 1]
            start = stop


def _ascends(earlier: Key, later: Key) -> bool:
    return earlier[0] == later[0] and earlier < later


def _key(custom_id: str) -> Key:
    return len(custom_id), custom_id
