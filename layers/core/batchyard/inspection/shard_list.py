"""The shards of a batch as they stand: attempts, provider batches, sums by model and provider, and the progress of all."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from batchyard.costs.cost import Cost
from batchyard.costs.usage import Usage
from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import Batch
from batchyard.domain.shard import Shard
from batchyard.services import Services

MOST_POINTS: Final = 200
SHOWN_ATTEMPTS: Final = 10  # the latest
SHOWN: Final = (
    "number", "started_at", "ended_at", "end", "lines", "provider_batch_id", "provider_status", "file_id", "direct",
    "succeeded", "failed", "transient",
)  # fmt: skip
Point = tuple[int, int, int]  # Unix seconds, lines completed, lines failed


def shard_list(services: Services, batch: Batch, after: int, limit: int, provider: str | None = None) -> dict[str, Any]:
    """List the shards that have begun, behind the number `after`, with sums and progress of all of them.

    With a `provider`, its shards alone are listed.
    """
    shards = list(services.batch_store.shards(batch.batch_id))
    behind = [shard for shard in shards if shard.shard > after and provider in {None, shard.provider}]
    return {
        "object": "list",
        "data": [_shape(shard) for shard in behind[:limit]],
        "has_more": len(behind) > limit,
        "shards": max(batch.shards, len(shards)),
        "begun": len(shards),
        "models": list(_sums(shards, "model")),
        "providers": list(_sums(shards, "provider")),
        "progress": [{"at": at, "completed": done, "failed": failed} for at, done, failed in progress(shards)],
    }


def progress(shards: Iterable[Shard]) -> list[Point]:
    """Add up how far the shards were at each time at which one of them went on; at most `MOST_POINTS` of these, in order."""
    changes = sorted(
        (at, shard.shard, completed, failed) for shard in shards for at, completed, failed in _points(shard)
    )
    latest, sums = dict[int, tuple[int, int]](), [0, 0]
    points: list[Point] = []
    for at, number, completed, failed in changes:
        was = latest.get(number, (0, 0))
        latest[number] = (completed, failed)
        sums = [sums[0] + completed - was[0], sums[1] + failed - was[1]]
        if points and points[-1][0] == at:
            points.pop()
        points.append((at, sums[0], sums[1]))
    every = -(-len(points) // MOST_POINTS)
    return points[::-1][:: every or 1][::-1]  # the last one is always there


def _points(shard: Shard) -> Iterator[Point]:
    """Yield the points of a shard, from the beginning of its first attempt."""
    if shard.attempts:
        yield min(shard.attempts[0].started_at, *shard.progress[:1] or [shard.attempts[0].started_at]), 0, 0
    yield from zip(shard.progress[::3], shard.progress[1::3], shard.progress[2::3], strict=True)


def _shape(shard: Shard) -> dict[str, Any]:
    return {
        "object": "batch.shard",
        "shard": shard.shard,
        "status": "done" if shard.done else "draining" if shard.draining else _status(shard),
        "endpoint": shard.endpoint,
        "model": shard.model,
        "provider": shard.provider,
        "lines": shard.lines,
        "first_line": shard.first_number or None,
        "last_line": shard.last_number or None,
        "completed": shard.completed,
        "failed": shard.failed,
        "paused": shard.why_waiting,
        "reason": msgspec.to_builtins(shard.reason),
        "usage": shard.usage.shape() if shard.usage.fits else None,
        "cost": shard.cost.shape(),
        "attempts_total": shard.attempts[-1].number if shard.attempts else 0,
        "attempts": [_attempt(attempt) for attempt in shard.attempts[-SHOWN_ATTEMPTS:]],
    }


def _status(shard: Shard) -> str:
    return "paused" if shard.why_waiting else "at_provider" if shard.at_provider else "waiting"


def _attempt(attempt: Attempt) -> dict[str, Any]:
    usage = attempt.usage.shape() if attempt.usage and attempt.usage.fits else None
    return {**{name: getattr(attempt, name) for name in SHOWN}, "usage": usage}


def _sums(shards: list[Shard], member: str) -> Iterator[dict[str, Any]]:
    """Yield the sums of the shards that are alike in a member."""
    for name in sorted({getattr(shard, member) for shard in shards}):
        of = [shard for shard in shards if getattr(shard, member) == name]
        usage = sum((shard.usage for shard in of), Usage())
        yield {
            member: name,
            "lines": sum(shard.lines for shard in of),
            "completed": sum(shard.completed for shard in of),
            "failed": sum(shard.failed for shard in of),
            "usage": usage.shape() if usage.fits else None,
            "cost": sum((shard.cost for shard in of), Cost()).shape(),
        }
