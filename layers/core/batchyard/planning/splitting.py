"""Split the lines of a batch into shards that each fit one provider batch."""

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Final

import msgspec

from batchyard.domain.batch import BatchError
from batchyard.domain.token_limits import estimated
from batchyard.lines.line import ENDPOINTS, Line, embedding_inputs
from batchyard.lines.shard_lines import Place, ShardLines
from batchyard.providers import routing
from batchyard.providers.account import Account
from batchyard.providers.windows import windows_of
from batchyard.services import Services

Target = tuple[str, str]  # url and model

MOST_TARGETS: Final = 1_000  # in one batch; each has an open shard
MOST_KNOWN: Final = 10_000  # targets that are remembered, though their lines may be bad
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
    #: Of one line; 0 for no limit of its own.
    line_bytes: int = 0
    #: The provider whose limits these are.
    provider: str = ""
    #: Bytes that each line has more in the upload than in the input.
    growth: int = 0
    #: The fewest requests that make a provider batch; fewer go one by one.
    least: int = 1

    @property
    def longest_line(self) -> int:
        """Return the most bytes of one line."""
        return min(self.bytes - self.growth, self.line_bytes or self.bytes)

    def fit(self, requests: int, size: int) -> bool:
        """Tell whether `requests` requests with `size` bytes together are within the limits."""
        size += requests * self.growth
        tokens_fit = not self.tokens or estimated(size) <= self.tokens
        bytes_fit = size <= min(self.bytes, self.taught_bytes or self.bytes)
        return requests <= self.requests and bytes_fit and tokens_fit


class Targets:
    """Which provider each target goes to, and the limits of that provider."""

    def __init__(
        self, limits: Mapping[str, ShardLimits], choose: Callable[[str, str], str | None],
        fault: Callable[[str, str, bool], BatchError], urls: Set[str] = ENDPOINTS,
    ) -> None:  # fmt: skip
        """Keep the limits by provider; `choose` names the provider of a url and a model.

        `fault` says that none is, at length or in brief.
        `urls` are all that any of the providers takes, but for those with a model in them.
        """
        self._by_provider, self._choose, self.fault, self.urls = limits, choose, fault, urls
        self._known = dict[tuple[str, str], ShardLimits | None]()
        #: The most bytes that a line may have at any of them.
        self.longest_line = max((each.bytes for each in limits.values()), default=0)

    def limits(self, url: str, model: str) -> ShardLimits | None:
        """Return the limits that a target has at its provider; None if no provider takes the target."""
        target = url, model
        if target not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            name = self._choose(*target)
            self._known[target] = None if name is None else self._by_provider[name]
        return self._known[target]


def targets_of(services: Services, wanted: str | None, window: str, growth: int = 0) -> Targets:
    """Tell where lines go; `wanted` is the provider that the batch is for, if it names one, and `window` that of the batch.

    `growth` are the bytes that each line has more in the upload than in the input.
    """
    accounts = services.accounts.values()
    entries = [account.entry for account in accounts]
    windows = {account.name: windows_of(account) for account in accounts}

    def choose(url: str, model: str) -> str | None:
        entry = routing.choose(entries, url, model, wanted)
        return entry.name if entry and windows[entry.name].take(window) else None

    def fault(url: str, model: str, in_brief: bool) -> BatchError:
        entry = routing.choose(entries, url, model, wanted)
        if entry is None:
            return routing.no_provider(entries, url, model, wanted, brief=in_brief)
        return routing.no_window(entry.name, window, windows[entry.name])

    limits = {account.name: _shard_limits(account, services.now(), growth) for account in accounts}
    own = {url for account in accounts for url in account.facts.endpoints if "*" not in url}
    return Targets(limits, choose, fault, ENDPOINTS | own)


def _shard_limits(account: Account, now: int, growth: int) -> ShardLimits:
    entry, learned, most = account.entry, account.creations.most_bytes(now), account.facts.most_line_bytes
    return ShardLimits(
        entry.max_requests_per_shard, entry.max_bytes_per_shard, entry.max_embedding_inputs_per_shard,
        entry.max_tokens_per_shard, learned or 0, most - growth if most else 0, account.name, growth,
        account.facts.least_lines,
    )  # fmt: skip


class Splitter:
    """Fill one open shard for each target; the first line that does not fit closes the shard.

    Where a provider batch needs a least number of lines, the shard that closed last is held: the next may need some of it.
    """

    def __init__(self, shards: int = 0, opened: Iterable[ShardLines] = ()) -> None:
        """Start with no shard, or go on after `shards` shards, of which `opened` are open or held."""
        self._open, self._held = dict[Target, ShardLines](), dict[Target, ShardLines]()
        for shard in sorted(opened, key=lambda each: each.shard):
            if (before := self._open.get(_target(shard))) is not None:
                self._held[_target(shard)] = before
            self._open[_target(shard)] = shard
        self._targets = set(self._open)
        self._lines = sum(map(len, self.open_shards()))
        self._text = sum(map(_text, self.open_shards()))
        self.shards = shards

    def add(self, place: Place, size: int, line: Line, limits: ShardLimits) -> ShardLines | None:
        """Put a line into its shard, which has these limits; return the shard that this completed, if any."""
        target = (line.url, line.body.model)
        inputs = embedding_inputs(line)
        shard = self._open.get(target)
        closed = shard if shard is not None and not _fits(shard, limits, size, inputs) else None
        if shard is None or closed is not None:
            shard = self._open[target] = ShardLines(self.shards, *target, provider=limits.provider)
            self.shards += 1
        if closed is not None and limits.least > 1:
            before = self._held.get(target)
            self._held[target], closed = closed, before
        self._count([line.custom_id], closed)
        self._targets.add(target)
        shard.add(place, [line.custom_id], [size])
        shard.embedding_inputs += inputs
        return closed or self._overflow()

    def _count(self, added: list[str], closed: ShardLines | None = None) -> None:
        self._lines += len(added) - (len(closed) if closed else 0)
        self._text += sum(map(len, added)) - (_text(closed) if closed else 0)

    def _overflow(self) -> ShardLines | None:
        """Close the longest shard if the open and held shards hold too much."""
        if self._lines <= MOST_OPEN and self._text <= MOST_OPEN_TEXT:
            return None
        longest = max(self.open_shards(), key=len if self._lines > MOST_OPEN else _text)
        self._count([], longest)
        target = _target(longest)
        return (self._open if self._open.get(target) is longest else self._held).pop(target)

    def add_alike(
        self, place: Place, target: Target, custom_ids: list[str], sizes: list[int], limits: ShardLimits
    ) -> bool:
        """Put neighbouring lines of one target, without embedding inputs, into the open shard; False if not all of them fit."""
        shard, size = self._open.get(target), sum(sizes)
        if shard is None or not limits.fit(len(shard) + len(sizes), shard.size + size):
            return False
        shard.add(place, custom_ids, sizes)
        self._count(custom_ids)
        return True

    def takes(self, line: Line) -> bool:
        """Tell whether the line has a known target, or may be the first of a new one."""
        return (line.url, line.body.model) in self._targets or len(self._targets) < MOST_TARGETS

    def open_shards(self) -> list[ShardLines]:
        """Return the shards that are open or held."""
        return [*self._open.values(), *self._held.values()]

    def share_out(self, limits: Callable[[str, str], ShardLimits | None]) -> None:
        """Fill the last shard of each target up to the least number of lines, from the one before; `limits` are a target's.

        To do so again changes nothing.
        """
        for target, before in self._held.items():
            found, last = limits(*target), self._open.get(target)
            if found is not None and last is not None and last.provider == before.provider:
                self._held[target], self._open[target] = _shared_out(before, last, found)


def _fits(shard: ShardLines, limits: ShardLimits, size: int, inputs: int) -> bool:
    if shard.provider != limits.provider:  # the settings changed while the batch was planned
        return False
    enough = shard.embedding_inputs + inputs <= limits.embedding_inputs
    return enough and limits.fit(len(shard) + 1, shard.size + size)


def _shared_out(before: ShardLines, last: ShardLines, limits: ShardLimits) -> tuple[ShardLines, ShardLines]:
    """Move lines from the end of a shard to the next one, as many as this needs; none if one of the two would lack some."""
    count = limits.least - len(last)
    left = len(before) - count
    if count <= 0 or left < limits.least or last.embedding_inputs:
        return before, last
    fits = limits.fit(limits.least, last.size + sum(before.sizes[left:]))
    return before.with_tail_before(count, last) if fits else (before, last)


def _target(shard: ShardLines) -> Target:
    return shard.endpoint, shard.model


def _text(shard: ShardLines) -> int:
    return sum(map(len, shard.custom_ids))
