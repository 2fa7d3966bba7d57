"""Which lines of a batch a page shows: those that its shards send, in the order of the input."""

from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Final, NamedTuple

from batchyard.domain.batch import Batch, InputObject
from batchyard.domain.shard import Shard
from batchyard.inspection import answer_runs
from batchyard.lines.merging import NOWHERE
from batchyard.lines.runs import Run
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.services import Services

LOOK_SECONDS: Final = 8  # a gateway waits 30 seconds


class Wanted(NamedTuple):
    """What a page is asked for."""

    #: The number of the line to begin with, from 1.
    first: int
    #: The most lines.
    limit: int
    #: Whether only lines without success are wanted.
    failed: bool = False
    #: The one custom_id that is wanted; None for all.
    custom_id: str | None = None


class SentLine(NamedTuple):
    """A line of a shard, and where its request lies."""

    #: As an editor counts, from 1.
    number: int
    position: int
    custom_id: str
    shard: Shard
    source: InputObject
    offset: int
    #: Bytes.
    size: int


class Selection(NamedTuple):
    """The lines of a page."""

    lines: list[SentLine]
    #: The number of the line with which the next page begins; None if none follows.
    following: int | None


def select(services: Services, batch: Batch, wanted: Wanted) -> Selection:
    """Find the lines of a page among the shards that have begun; the list of one shard is held at a time.

    Where many shards have to be looked at, as for a custom_id, the page ends after some seconds, and `following` goes on.
    """
    shards = sorted(services.batch_store.shards(batch.batch_id), key=_first)
    runs = answer_runs.AnswerRuns(services.bucket, batch)
    best: list[SentLine] = []
    until, looked = services.clock() + LOOK_SECONDS, False
    for shard in shards:
        if _last(shard) < wanted.first:
            continue
        if len(best) > wanted.limit and best[-1].number < _first(shard):
            break
        if looked and services.clock() > until:
            sure = [line for line in best if line.number < _first(shard)][: wanted.limit]
            return Selection(sure, max(wanted.first, _first(shard)) if len(best) <= wanted.limit else best[-1].number)
        more = islice(_lines_of(services, batch, shard, runs, wanted), wanted.limit + 1)
        best = sorted([*best, *more], key=attrgetter("number"))[: wanted.limit + 1]
        looked = True
    following = best[wanted.limit].number if len(best) > wanted.limit else None
    return Selection(best[: wanted.limit], following)


def _first(shard: Shard) -> int:
    return shard.first_number or shard.first + 1


def _last(shard: Shard) -> int:
    return shard.last_number or NOWHERE


def _lines_of(
    services: Services, batch: Batch, shard: Shard, runs: answer_runs.AnswerRuns, wanted: Wanted
) -> Iterator[SentLine]:
    lines = ShardLines.read(services.bucket, batch.batch_id, shard.shard)
    source = lines.source or batch.lines_in
    failed = runs.errors(shard) if wanted.failed else None
    for ordinal in _ordinals(services, batch, lines, wanted, failed):
        yield SentLine(
            lines.numbers[ordinal], lines.positions[ordinal], lines.custom_ids[ordinal], shard, source,
            lines.offsets[ordinal], lines.sizes[ordinal],
        )  # fmt: skip


def _ordinals(
    services: Services, batch: Batch, lines: ShardLines, wanted: Wanted, failed: list[Run] | None
) -> Iterator[int]:
    """Yield the ordinals of the wanted lines that were sent, ascending; `failed` are runs of errors if only these count."""
    begin = bisect_left(lines.numbers, wanted.first)
    if failed is not None:
        positions = answer_runs.positions_in(failed)
        found = map(partial(bisect_left, lines.positions), positions)
        ordinals = iter([ordinal for ordinal in found if begin <= ordinal < len(lines)])
    else:
        ordinals = iter(range(begin, len(lines)))
    if wanted.custom_id is not None:
        ordinals = (ordinal for ordinal in ordinals if lines.custom_ids[ordinal] == wanted.custom_id)
    if lines.skipped:
        sent = set(Unfinished.read(services.bucket, lines.left_key(batch.batch_id), len(lines)).ordinals)
        ordinals = (ordinal for ordinal in ordinals if ordinal in sent)
    return ordinals
