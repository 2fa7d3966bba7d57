"""report.json: the proof that every line has one outcome, and what each shard went through."""

from importlib.metadata import version
from typing import Any, Final

import msgspec

from batchyard import __version__
from batchyard.adapters.objects import Writer
from batchyard.batch import Batch, Usage
from batchyard.plan import Summary
from batchyard.results import Tally
from batchyard.shard import Attempt, Shard

PACKAGES: Final = ("aws-lambda-powertools", "boto3", "msgspec", "requests")


def report(
    batch: Batch, summary: Summary, shards: list[Shard], tally: Tally, output: Writer, errors: Writer
) -> dict[str, Any]:
    """Shape the report of a batch whose results are written. Times are Unix seconds, sizes bytes, checksums SHA-256 in hex."""
    return {
        "batch_id": batch.batch_id,
        "tenant": batch.tenant,
        "status": batch.status,
        "created_at": batch.created_at,
        "input": {**msgspec.to_builtins(batch.input), "lines": summary.lines},
        "output": {"lines": tally.succeeded, "bytes": output.size, "sha256": output.sha256},
        "errors": {
            "lines": tally.failed,
            "bytes": errors.size,
            "sha256": errors.sha256,
            "by_code": dict(sorted(tally.codes.items())),
        },
        "outcomes_equal_lines": tally.succeeded + tally.failed == summary.lines,
        "usage": (batch.usage or Usage()).shape(),
        "shards": [_shard(shard) for shard in shards],
        "versions": {"batchyard": __version__, **{name: version(name) for name in PACKAGES}},
    }


def _shard(shard: Shard) -> dict[str, Any]:
    return {
        "shard": shard.shard,
        "endpoint": shard.endpoint,
        "model": shard.model,
        "lines": shard.lines,
        "first_line": shard.first,
        "last_line": shard.last,
        "completed": shard.completed,
        "unfinished": shard.unfinished,
        "reason": msgspec.to_builtins(shard.reason),
        "attempts": [_attempt(attempt) for attempt in shard.attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    shown = ("number", "provider_batch_id", "provider_status", "file_id", "started_at", "creating_at", "ended_at",
             "lines", "succeeded", "failed", "transient", "strays")  # fmt: skip
    usage = attempt.usage.shape() if attempt.usage else None
    return {**{name: getattr(attempt, name) for name in shown}, "usage": usage}
