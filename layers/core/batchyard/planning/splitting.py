"""Split the lines of a batch into shards that each fit one provider batch."""

from collections.abc import Iterable
from typing import Final

import msgspec

from batchyard.domain.token_limits import estimated
from batchyard.lines.line import Line, embedding_inputs
from batchyard.lines.shard_lines import Place, ShardLines

MOST_TARGETS: Final = 1_000  # in one batch; each has an open shard
MOST_OPEN: Final = 1_000_000  # lines of all open shards; beyond, the longest shard is closed before it is full
MOST_OPEN_TEXT: Final = 100_000_000  # characters of their custom_ids; beyond, the shard with most is closed


class ShardLimits(msgspec.Struct, frozen=True):
    """The most that a shard may hold."""

    requests: int
    #: Of the upload.
    bytes: int
    #: Inputs of embeddings requests.
    embedding_inputs: int
    #: Prompt tokens, estimated; 0 is no limit. A line that is over the limit by itself has a shard of its own.
    tokens: int = 0
    #: Of the upload, as the provider has taught; 0 if it has not. Such a line has a shard of its own, too.
    taught_bytes: int = 0
    #: The provider whose limits these are.
    provider: str = ""

    def fit(self, requests: int, size: int) -> bool:
        """Tell whether `requests` requests with `size` bytes together are within the limits."""
        tokens_fit = not self.tokens or estimated(size) <= self.tokens
        bytes_fit = size <= min(self.bytes, self.taught_bytes or self.bytes)
        return requests <= self.requests and bytes_fit and tokens_fit


class Splitter:
    """Fill one open shard for each target; the first line that does not fit closes the shard."""

    def __init__(self, limits: ShardLimits, shards: int = 0, opened: Iterable[ShardLines] = ()) -> None:
        """Start with no shard, or go on after `shards` shards, of which `opened` are open."""
        self._limits = limits
        self._open = {(shard.endpoint, shard.model): shard for shard in opened}
        self._targets = set(self._open)
        self._lines = sum(map(len, self._open.values()))
        self._text = sum(map(_text, self._open.values()))
        self.shards = shards

    def add(self, place: Place, size: int, line: Line) -> ShardLines | None:
        """Put a line into its shard; return the shard that this closed, if any."""
        target = (line.url, line.body.model)
        inputs = embedding_inputs(line)
        shard = self._open.get(target)
        closed = shard if shard is not None and not self._fits(shard, size, inputs) else None
        if shard is None or closed is not None:
            shard = self._open[target] = ShardLines(self.shards, *target, provider=self._limits.provider)
            self.shards += 1
        self._count([line.custom_id], closed)
        self._targets.add(target)
        shard.add(place, [line.custom_id], [size])
        shard.embedding_inputs += inputs
        return closed or self._overflow()

    def _count(self, added: list[str], closed: ShardLines | None = None) -> None:
        self._lines += len(added) - (len(closed) if closed else 0)
        self._text += sum(map(len, added)) - (_text(closed) if closed else 0)

    def _overflow(self) -> ShardLines | None:
        """Close the longest shard if the open shards hold too much."""
        if self._lines <= MOST_OPEN and self._text <= MOST_OPEN_TEXT:
            return None
        longest = max(self._open.values(), key=len if self._lines > MOST_OPEN else _text)
        self._count([], longest)
        return self._open.pop((longest.endpoint, longest.model))

    def add_alike(self, place: Place, target: tuple[str, str], custom_ids: list[str], sizes: list[int]) -> bool:
        """Put neighbouring lines of one target, without embedding inputs, into the open shard; False if not all of them fit."""
        shard, size = self._open.get(target), sum(sizes)
        if shard is None or not self._limits.fit(len(shard) + len(sizes), shard.size + size):
            return False
        shard.add(place, custom_ids, sizes)
        self._count(custom_ids)
        return True

    def takes(self, line: Line) -> bool:
        """Tell whether the line has a known target, or may be the first of a new one."""
        return (line.url, line.body.model) in self._targets or len(self._targets) < MOST_TARGETS

    def open_shards(self) -> list[ShardLines]:
        """Return the shards that are open."""
        return list(self._open.values())

    def _fits(self, shard: ShardLines, size: int, inputs: int) -> bool:
        enough = shard.embedding_inputs + inputs <= self._limits.embedding_inputs
        return enough and self._limits.fit(len(shard) + 1, shard.size + size)


def _text(shard: ShardLines) -> int:
    return sum(map(len, shard.custom_ids))
