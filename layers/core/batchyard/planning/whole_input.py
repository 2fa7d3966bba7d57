"""What only the whole input shows: that it is empty, and which custom_ids it uses twice."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from batchyard.domain import object_keys
from batchyard.domain.batch import SHOWN_ERRORS, Batch, BatchError
from batchyard.domain.time_budget import TimeBudget
from batchyard.lines.line import duplicate as repeated
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.planning.duplicates import earliest, look_through
from batchyard.planning.scan import InputScan
from batchyard.planning.skipped import Skipped
from batchyard.services import Services

EMPTY: Final = "empty_file"


def check_whole_input(
    services: Services,
    batch: Batch,
    scan: InputScan,
    skipped: Skipped | None,
    budget: TimeBudget,
) -> None:
    """Complain of an empty input and of duplicates; with `skipped`, the duplicates leave their shards for it.

    Raises OutOfTime between two shards, to be called again, as long as nothing is complained of.
    """
    progress = scan.progress
    good = progress.lines - progress.set_aside
    shards = partial(_shards, services, batch, range(progress.shards), budget)
    look_through(shards, good, progress.repeats, scan.ids)
    if not progress.lines and not progress.errors_total:
        message = "The input has no requests. Write one JSON request object per line."
        scan.complain(BatchError(EMPTY, message))
    if progress.repeats.ordinals:
        _complain(services, batch, scan)
        progress.errors.sort(key=lambda error: error.line or 0)
    if skipped is not None:
        for shard in sorted(progress.repeats.ordinals):
            _drop(services, batch, scan, skipped, read_lines(services, batch.batch_id, shard))


def read_lines(services: Services, batch_id: str, shard: int) -> ShardLines:
    """Read the list of a shard's lines."""
    return ShardLines.read(services.bucket, batch_id, shard)


def _shards(services: Services, batch: Batch, numbers: Iterable[int], budget: TimeBudget) -> Iterator[ShardLines]:
    for number in numbers:
        budget.check()
        yield read_lines(services, batch.batch_id, number)


def _complain(services: Services, batch: Batch, scan: InputScan) -> None:
    """Note the duplicates, the first of the input with their lines."""
    repeats = scan.progress.repeats
    shown = earliest(_shards(services, batch, repeats.ordinals, TimeBudget()), repeats, SHOWN_ERRORS)
    for duplicate in shown:
        scan.complain(repeated(duplicate.custom_id), duplicate.number)
    scan.complain_of_more(repeated(""), len(repeats) - len(shown))


def _drop(services: Services, batch: Batch, scan: InputScan, skipped: Skipped, shard: ShardLines) -> None:
    """Skip the duplicates of a shard. Its list keeps them, marked, so that a second run finds them again."""
    ordinals = scan.progress.repeats.of(shard.shard)
    for ordinal in ordinals:
        position, number, custom_id = shard.positions[ordinal], shard.numbers[ordinal], shard.custom_ids[ordinal]
        skipped.add(position, number, custom_id, repeated(custom_id))
    skipped.close()
    left = Unfinished.none()
    dropped = set(ordinals)
    for ordinal in range(len(shard)):
        if ordinal not in dropped:
            left.add(ordinal, 0)
    services.bucket.put(object_keys.shard_left(batch.batch_id, shard.shard), left.pack())
    shard.skipped = len(ordinals)
    services.bucket.put(object_keys.shard_lines(batch.batch_id, shard.shard), shard.pack())
    if not len(left):
        scan.progress.emptied.append(shard.shard)
