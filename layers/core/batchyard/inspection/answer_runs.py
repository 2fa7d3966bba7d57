"""Where the answers of a shard lie: the runs that its attempts left, and the run of the lines that were never answered."""

from collections.abc import Iterator
from typing import Final

from batchyard.adapters.bucket import Bucket
from batchyard.domain import object_keys
from batchyard.domain.attempt import Attempt
from batchyard.domain.errors import NotFound
from batchyard.domain.shard import Shard
from batchyard.lines.runs import LineInRun, Run

SAVED_LATER: Final = 6  # versions; the sweep may save a shard a few times when its batch has ended


def output_runs(bucket: Bucket, shard: Shard) -> list[Run]:
    """Return the runs of a shard's answers with success."""
    return [
        _run(bucket, shard, attempt.number, attempt.runs, "output")
        for attempt in shard.attempts
        if _has(attempt, attempt.succeeded)
    ]


def error_runs(bucket: Bucket, shard: Shard, *, ended: bool) -> list[Run]:
    """Return the runs of a shard's errors; when the batch has ended, those of lines that were never answered, too."""
    runs = [
        _run(bucket, shard, attempt.number, attempt.runs, "errors")
        for attempt in shard.attempts
        if _has(attempt, attempt.failed)
    ]
    return [*runs, *unanswered_runs(bucket, shard)] if shard.unfinished and (ended or shard.done) else runs


def unanswered_runs(bucket: Bucket, shard: Shard) -> Iterator[Run]:
    """Yield the run of the unanswered lines of a shard, once Assemble has written it: for a version of that time."""
    for version in range(shard.version, max(-1, shard.version - SAVED_LATER), -1):
        key = object_keys.unanswered(shard.batch_id, shard.shard, version, "errors")
        try:
            bucket.head(f"{key}.index")
        except NotFound:
            continue  # Assemble has not come, or has seen an earlier version
        yield Run(bucket, key)
        return


def found(runs: list[Run], positions: list[int]) -> Iterator[LineInRun]:
    """Find lines by their positions, which ascend; each line is in one run at most, and a run that is gone has none."""
    left = positions
    for run in runs:
        if not left:
            return
        try:
            here = run.find(left)
        except NotFound:
            continue  # removed by hand, or its batch is older than the bucket keeps work
        yield from here
        known = {line.position for line in here}
        left = [position for position in left if position not in known]


def positions_in(runs: list[Run]) -> list[int]:
    """Return the positions of all lines of these runs, ascending; a run that is gone has none."""
    every: list[int] = []
    for run in runs:
        try:
            every += run.positions()
        except NotFound:
            continue  # removed by hand, or its batch is older than the bucket keeps work
    return sorted(every)


def _has(attempt: Attempt, lines: int) -> bool:
    return lines > 0 and attempt.ended_at is not None


def _run(bucket: Bucket, shard: Shard, number: int, runs: int, name: str) -> Run:
    return Run(bucket, object_keys.attempt(shard.batch_id, shard.shard, number, runs, name))
