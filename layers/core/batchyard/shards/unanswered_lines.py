"""The lines of a shard that never got a final answer: each with its last true error, or with the shard's reason."""

import heapq
from collections.abc import Iterator
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from batchyard.adapters.bucket import Bucket
from batchyard.domain import object_keys, outcomes
from batchyard.domain.batch import BatchError
from batchyard.domain.shard import Shard
from batchyard.lines.merging import MergeInput, piece_of
from batchyard.lines.runs import Run, RunWriter
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished

if TYPE_CHECKING:
    from array import array

NO_REASON: Final = BatchError("server_error", "The request was not finished and its shard does not say why.")
NO_MORE: Final = (2**64, b"")


def put_unanswered(bucket: Bucket, shard: Shard) -> dict[str, int]:
    """Write these lines of a shard as a run of their own, and count them by error code; memory is that of one shard."""
    codes: dict[str, int] = {}
    lines = ShardLines.read(bucket, shard.batch_id, shard.shard)
    left = Unfinished.read(bucket, shard.unfinished_key, len(lines)).ordinals
    key = object_keys.unanswered(shard.batch_id, shard.shard, shard.version)
    write_error_lines(bucket, key, shard, lines, left, shard.reason or NO_REASON, codes)
    return codes


def write_error_lines(
    bucket: Bucket, key: str, shard: Shard, lines: ShardLines, ordinals: "array[int]", reason: BatchError,
    codes: dict[str, int],
) -> None:  # fmt: skip
    """Write the error line of each of these lines as a run, and count them by code in `codes`."""
    with RunWriter(bucket, key) as run:
        for position, line in error_lines(bucket, shard, lines, ordinals, reason):
            answer = outcomes.parse(line)
            outcomes.count_code(codes, outcomes.code_of(answer) if answer else reason.code)
            run.write(position, line)


def error_lines(
    bucket: Bucket, shard: Shard, lines: ShardLines, ordinals: "array[int]", reason: BatchError
) -> Iterator[tuple[int, bytes]]:
    """Yield position and error line of each of these lines: the last transient error that the line met, else the reason."""
    errors = chain(_last_errors(bucket, shard), [NO_MORE])
    known = next(errors)
    for ordinal in ordinals:
        position = lines.positions[ordinal]
        while known[0] < position:
            known = next(errors)
        own = outcomes.answer_line(shard.batch_id, position, lines.custom_ids[ordinal], reason)
        yield position, known[1] if known[0] == position else own


def _last_errors(bucket: Bucket, shard: Shard) -> Iterator[tuple[int, bytes]]:
    """Yield the last transient error of each line that met one, with its position."""
    runs = [
        Run(bucket, object_keys.attempt(shard.batch_id, shard.shard, attempt.number, attempt.runs, "transient"))
        for attempt in shard.attempts
        if attempt.transient
    ]
    piece = piece_of(MergeInput(shard.first, shard.last, partial(run.blocks, -1, shard.last)) for run in runs)
    in_order = heapq.merge(*(run.lines(piece) for run in runs), key=itemgetter(0))
    for _, same in groupby(in_order, key=itemgetter(0)):
        *_, last = same
        yield last
