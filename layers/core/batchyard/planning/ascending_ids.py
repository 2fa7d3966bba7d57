"""Tell that custom_ids all differ by their order alone, as those of counters do: nothing but a few of them is kept."""

from collections.abc import Iterator
from itertools import islice, pairwise
from operator import lt
from typing import Final

MOST: Final = 300  # stretches
LONG: Final = 64  # characters; no longer custom_id is kept

Key = tuple[int, str]  # by length, then by letter


class AscendingIds:
    """The stretches of ascending custom_ids of one length in which a pass came, by the first and the last of each.

    Only ids of one length are compared: so request-10 may come behind request-9, and train-10 before test-9.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._ends: list[tuple[Key, Key]] = []
        self.count = 0

    def take(self, custom_ids: list[str]) -> bool:
        """Take more, in the order of the input; False if they cannot be told to differ this way, and all are to be let go."""
        for first, last in _stretches(custom_ids):
            if self._ends and _ascends(self._ends[-1][1], first):
                self._ends[-1] = self._ends[-1][0], last
            else:
                self._ends.append((first, last))
            if len(self._ends) > MOST or last[0] > LONG:
                return False
        self.count += len(custom_ids)
        return True

    def differ(self) -> bool:
        """Tell whether they surely all differ: no stretch begins before another has ended."""
        return all(earlier[1] < later[0] for earlier, later in pairwise(sorted(self._ends)))


def _stretches(custom_ids: list[str]) -> Iterator[tuple[Key, Key]]:
    """Yield the first and the last of each stretch."""
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
