"""What only the whole input shows: that it is empty, and which custom_ids it uses twice."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from batchyard import keys, lines
from batchyard.aside import Aside
from batchyard.batch import SHOWN_ERRORS, Batch, InputObject, LineError
from batchyard.duplicates import earliest, repeats
from batchyard.splitting import ShardLines
from batchyard.survey import Survey
from batchyard.unfinished import Unfinished
from batchyard.yard import Yard

Numbers = Callable[[int, int], int]


def look_back(yard: Yard, batch: Batch, source: InputObject, survey: Survey, aside: Aside | None) -> None:
    """Complain of an empty input and of duplicates; with `aside`, the duplicates leave their shards for it."""
    progress = survey.progress
    if not progress.lines and not progress.errors_total:
        message = "The input has no requests. Write one JSON request object per line."
        survey.complain(LineError("empty_file", message))
    good = progress.lines - progress.set_aside
    found = [
        (shard.shard, ordinals) for shard, ordinals in repeats(lambda: _shards(yard, batch, progress.shards), good)
    ]
    if found:
        _complain(yard, batch, source, survey, found)
        progress.errors.sort(key=lambda error: error.line or 0)
    if found and aside is not None:
        number = _numbers(yard, batch, source, survey, found)
        for shard, ordinals in found:
            _drop(yard, batch, survey, aside, read_lines(yard, batch.batch_id, shard), ordinals, number)


def read_lines(yard: Yard, batch_id: str, shard: int) -> ShardLines:
    """Read the list of a shard's lines."""
    return ShardLines.unpack(yard.objects.get(keys.shard_lines(batch_id, shard)))


def _shards(yard: Yard, batch: Batch, count: int) -> Iterator[ShardLines]:
    for number in range(count):
        yield read_lines(yard, batch.batch_id, number)


def _complain(
    yard: Yard, batch: Batch, source: InputObject, survey: Survey, found: list[tuple[int, "array[int]"]]
) -> None:
    """Note the duplicates, the first of the input with their lines."""
    shards = ((read_lines(yard, batch.batch_id, shard), ordinals) for shard, ordinals in found)
    shown = earliest(shards, SHOWN_ERRORS)
    numbers = _count(yard.objects.chunks(source, 0, shown[-1].offset), [each.offset for each in shown])
    for duplicate, number in zip(shown, numbers, strict=True):
        survey.complain(lines.duplicate(duplicate.custom_id), number)
    survey.progress.errors_total += sum(len(ordinals) for _, ordinals in found) - len(shown)


def _numbers(
    yard: Yard, batch: Batch, source: InputObject, survey: Survey, found: list[tuple[int, "array[int]"]]
) -> Numbers:
    """Make a function from position and offset of a duplicate to its line number, at 16 bytes a duplicate at most."""
    if survey.progress.numbers == survey.progress.lines:  # no line is blank
        return lambda position, _: position + 1
    offsets = array("Q")
    for shard, ordinals in found:
        kept = read_lines(yard, batch.batch_id, shard).offsets
        offsets.extend(kept[ordinal] for ordinal in ordinals)
    ordered = array("Q", sorted(offsets))
    counted = array("Q", _count(yard.objects.chunks(source, 0, ordered[-1]), ordered))
    return lambda _, offset: counted[bisect_left(ordered, offset)]


def _count(chunks: Iterable[bytes], offsets: Iterable[int]) -> Iterator[int]:
    """Tell the line numbers, as an editor counts, of lines at these ascending offsets; the chunks end at the last of them."""
    number, start = 1, 0
    chunk, rest = b"", iter(chunks)
    at = 0  # in the chunk, which begins at `start`
    for offset in offsets:
        while offset > start + len(chunk):
            number += chunk.count(b"\n", at)
            start, chunk, at = start + len(chunk), next(rest), 0
        number += chunk.count(b"\n", at, offset - start)
        at = offset - start
        yield number


def _drop(
    yard: Yard, batch: Batch, survey: Survey, aside: Aside, shard: ShardLines, ordinals: "array[int]", number: Numbers
) -> None:
    """Set lines of a shard aside. Its list keeps them, marked, so that looking back once more finds them once more."""
    for ordinal in ordinals:
        position, custom_id = shard.positions[ordinal], shard.custom_ids[ordinal]
        aside.add(position, number(position, shard.offsets[ordinal]), custom_id, lines.duplicate(custom_id))
    aside.close()
    left = Unfinished.none()
    dropped = set(ordinals)
    for ordinal in range(len(shard)):
        if ordinal not in dropped:
            left.add(ordinal, 0)
    yard.objects.put(keys.shard_left(batch.batch_id, shard.shard), left.pack())
    shard.dropped = len(ordinals)
    yard.objects.put(keys.shard_lines(batch.batch_id, shard.shard), shard.pack())
    if not len(left):
        survey.progress.emptied.append(shard.shard)
