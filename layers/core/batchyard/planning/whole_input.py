"""What only the whole input shows: that there are no requests, and which custom_ids are used twice."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from batchyard.domain import object_keys
from batchyard.domain.batch import SHOWN_ERRORS, Batch, BatchError
from batchyard.domain.step import TimeBudget
from batchyard.lines import line
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.planning.duplicates import earliest, find_repeats, first_numbers
from batchyard.planning.gathered_scan import with_files, without_file
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
    """Add errors for an empty input and for duplicates; `skipped` takes the duplicates out of their shards.

    Raises OutOfTime only before an error is added, so that the check may be made again.
    """
    progress = scan.progress
    shards = partial(_shards, services, batch, scan, range(progress.shards), budget)
    find_repeats(shards, progress.lines - progress.skipped_lines, progress.repeats, scan.ids)
    if not progress.lines and not progress.errors_total and not batch.gathered:
        message = "The input has no requests. Write one JSON request object per line."
        scan.add_error(BatchError(EMPTY, message))
    if progress.repeats.ordinals:
        _add_errors(services, batch, scan, budget)
        progress.errors.sort(key=lambda error: error.line or 0)
    if skipped is not None:
        for shard in sorted(progress.repeats.ordinals):
            _skip_duplicates(services, batch, scan, skipped, ShardLines.read(services.bucket, batch.batch_id, shard))


def _shards(
    services: Services, batch: Batch, scan: InputScan, numbers: Iterable[int], budget: TimeBudget
) -> Iterator[ShardLines]:
    """Read shards; the custom_ids of a gathered input stand with their files, as they are unique within a file only."""
    for number in numbers:
        budget.check()
        shard = ShardLines.read(services.bucket, batch.batch_id, number)
        yield shard if scan.places is None else with_files(shard, scan.places)


def _add_errors(services: Services, batch: Batch, scan: InputScan, budget: TimeBudget) -> None:
    """Count the duplicates, and keep errors of the first ones."""
    repeats = scan.progress.repeats
    shown = earliest(_shards(services, batch, scan, repeats.ordinals, TimeBudget()), repeats, SHOWN_ERRORS)
    every = _shards(services, batch, scan, range(scan.progress.shards), budget)
    firsts = first_numbers(every, {duplicate.custom_id for duplicate in shown})
    for duplicate in shown:
        custom_id, first = duplicate.custom_id, firsts[duplicate.custom_id]
        if scan.places is not None:
            custom_id, first = without_file(custom_id), scan.places.line(first).number
        scan.add_error(line.duplicate(custom_id, first), duplicate.number)
    scan.count_errors(line.duplicate(""), len(repeats) - len(shown))


def _skip_duplicates(services: Services, batch: Batch, scan: InputScan, skipped: Skipped, shard: ShardLines) -> None:
    """Skip the duplicates of a shard; they stay in the shard's list, so that another try finds them again."""
    ordinals = scan.progress.repeats.of(shard.shard)
    for ordinal in ordinals:
        position, number, custom_id = shard.positions[ordinal], shard.numbers[ordinal], shard.custom_ids[ordinal]
        skipped.add(position, number, custom_id, line.duplicate(custom_id))
    skipped.close()
    left, duplicates = Unfinished.none(), set(ordinals)
    for ordinal in range(len(shard)):
        if ordinal not in duplicates:
            left.add(ordinal, 0, 0)
    services.bucket.put(object_keys.shard_left(batch.batch_id, shard.shard), left.pack())
    shard.skipped = len(ordinals)
    services.bucket.put(object_keys.shard_lines(batch.batch_id, shard.shard), shard.pack())
    if not len(left):
        scan.progress.emptied_shards.append(shard.shard)
