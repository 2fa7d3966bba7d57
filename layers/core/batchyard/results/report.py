"""report.json: the proof that every line has one outcome, and the history of each shard."""

import platform
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import msgspec

from batchyard import __version__
from batchyard.costs.usage import Usage
from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import Batch
from batchyard.domain.shard import Shard
from batchyard.planning.summary import Summary, shown_input
from batchyard.planning.taken_over import history
from batchyard.results.join import Result, Tally

FAULTS: Final = ("strays", "mended", "empty", "unmetered", "never_came")
PACKAGES: Final = ("aws-lambda-powertools", "boto3", "msgspec", "requests")


def report(
    batch: Batch, summary: Summary, shards: list[Shard], tally: Tally, output: Result, errors: Result
) -> dict[str, Any]:
    """Shape the report of a batch whose results are written.

    Times are Unix seconds and sizes are bytes. `sha256` is in hex; `checksum` is the CRC-32 of the whole, in base64 as S3
    writes it.
    """
    return {
        "batch_id": batch.batch_id,
        "tenant": batch.tenant,
        "status": batch.status,
        "created_at": batch.created_at,
        **(_retry(batch, summary) if batch.retry_of else {}),
        "input": {**shown_input(batch.input), "lines": summary.lines},
        "output": _result(output, tally.succeeded),
        "errors": {**_result(errors, tally.failed), "by_code": dict(sorted(tally.codes.items()))},
        "outcomes_equal_lines": tally.succeeded + tally.failed == summary.lines,
        "answers": _answers(shards),
        "lines_one_by_one": sum(attempt.sent for shard in shards for attempt in shard.attempts if attempt.direct),
        "usage": (batch.usage or Usage()).shape(),
        "cost": msgspec.json.decode(batch.priced or "null"),
        "shards": [_shard(shard) for shard in shards],
        "versions": _versions(),
    }


@cache
def _versions() -> dict[str, str]:
    """Name what runs here; each look at a package reads its files, and they stay the same while the process lives."""
    packages = {name: version(name) for name in PACKAGES}
    return {"batchyard": __version__, "python": platform.python_version(), **packages}


def _retry(batch: Batch, summary: Summary) -> dict[str, Any]:
    """Tell which batch is retried, which lines were sent again, and whose the answers with success are."""
    return {
        "retry_of": batch.retry_of,
        "retry_lines": batch.retry_lines,
        "retry_body": msgspec.json.decode(batch.retry_body) if batch.retry_body else None,
        "taken_over": batch.taken_over,
        "history": [{"batch_id": batch_id, "answered": count} for batch_id, count in history(batch)],
        "sent": {"lines": summary.sent_lines, "ranges": summary.sent_ranges, "first": summary.sent},
    }


def _result(result: Result, lines: int) -> dict[str, Any]:
    kept = result.object
    return {
        "key": kept.key, "version_id": kept.version_id, "lines": lines, "bytes": kept.size, "sha256": result.sha256,
        "checksum": kept.checksum,
    }  # fmt: skip


def _answers(shards: list[Shard]) -> dict[str, int]:
    """Sum up what was wrong with the provider's answers."""
    attempts = [attempt for shard in shards for attempt in shard.attempts]
    return {name: sum(getattr(attempt, name) for attempt in attempts) for name in FAULTS}


def _shard(shard: Shard) -> dict[str, Any]:
    return {
        "shard": shard.shard,
        "endpoint": shard.endpoint,
        "model": shard.model,
        "provider": shard.provider,
        "lines": shard.lines,
        "first_line": shard.first,
        "last_line": shard.last,
        "ranges": msgspec.to_builtins(shard.ranges),
        "completed": shard.completed,
        "unfinished": shard.unfinished,
        "reason": msgspec.to_builtins(shard.reason),
        "too_large_bytes": shard.too_large_bytes or None,
        "attempts": [_attempt(attempt) for attempt in shard.attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    shown = ("number", "provider_batch_id", "provider_status", "end", "file_id", "started_at", "creating_at", "ended_at",
             "lines", "succeeded", "failed", "transient", "not_accepted", "tier", "by_flex", *FAULTS)  # fmt: skip
    usage = attempt.usage.shape() if attempt.usage else None
    cost = attempt.cost.shape() if attempt.cost else None
    return {**{name: getattr(attempt, name) for name in shown}, "direct": attempt.direct, "usage": usage, "cost": cost}
