"""Put the results of a batch together: output.jsonl, errors.jsonl and report.json."""

import math
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from batchyard.domain import object_keys, statuses
from batchyard.domain.batch import SHOWN_ERRORS, Batch, BatchError, Counts, Usage
from batchyard.domain.errors import BatchyardError
from batchyard.domain.shard import Shard, as_done
from batchyard.domain.time_budget import watch
from batchyard.lines.shard_lines import ShardLines, new_shard
from batchyard.planning import skipped
from batchyard.planning.plan import read_summary
from batchyard.planning.summary import report_unsent
from batchyard.results import result_files
from batchyard.results.checkpoint import any_written, written_results
from batchyard.results.join import Tally
from batchyard.results.report import report
from batchyard.services import Services

UNRECORDED: Final = BatchError("server_error", "The shard of this request stopped before it was finished.")
RAN: Final = frozenset({"completed", "expired", "cancelled"})  # how a provider batch ends that ran lines
# Lines that were never run because the user cancelled are in neither count, as with OpenAI.
UNCOUNTED: Final = "batch_cancelled"


def assemble(services: Services, batch_id: str, seconds_left: Callable[[], float] = lambda: math.inf) -> str:
    """Write the results and end the batch; answers what is next: `done`, `failed` when it ended so, or `assemble`.

    Running it again writes the same bytes; a batch that has ended is only announced again. One that was cancelled while its
    results were written is assembled once more, to end as cancelled. When `seconds_left` runs low, it is put down how far
    the results are written, and the next call goes on from there.
    """
    batch = services.batch_store.move_batch(
        batch_id, statuses.FINALIZING, services.now()
    ) or services.batch_store.batch(batch_id)
    if batch.status == statuses.FINALIZING and not any_written(services, batch_id):  # else the run before has told it
        services.event_bus.announce(batch)
    if not batch.ended:
        batch = _finish_dry_run(services, batch) if batch.dry_run else _finish(services, batch, seconds_left)
    if not batch.ended:
        return "assemble"
    services.event_bus.announce(batch)
    return "failed" if batch.status == statuses.FAILED else "done"


def _finish(services: Services, batch: Batch, seconds_left: Callable[[], float]) -> Batch:
    summary = read_summary(services, batch.batch_id)
    shards = list(_shards(services, batch, summary.shards))
    skipped_runs = skipped.runs(services.bucket, batch.batch_id, summary.skipped)
    written = written_results(services, batch, shards, skipped_runs, watch(seconds_left))
    if written is None:
        return batch
    tally, output, errors = written
    tally.count(summary.codes)
    if tally.succeeded + tally.failed != summary.lines:
        raise BatchyardError(
            f"{batch.batch_id} has {summary.lines} lines but {tally.succeeded} + {tally.failed} outcomes"
        )
    found = {
        "counts": Counts(summary.lines, tally.succeeded, tally.failed - tally.codes.get(UNCOUNTED, 0)),
        "usage": sum((shard.usage for shard in shards), Usage()),
        "output_file_id": result_files.keep(services, batch, "output.jsonl", output.object.size)
        if tally.succeeded
        else None,
        "error_file_id": result_files.keep(services, batch, "errors.jsonl", errors.object.size)
        if tally.failed
        else None,
        **_refusals(shards, tally),
    }
    status = _status(batch, shards, tally)
    proof = report(msgspec.structs.replace(batch, status=status, **found), summary, shards, tally, output, errors)
    report_key = object_keys.result(batch.tenant, batch.batch_id, "report.json")
    services.bucket.put(report_key, msgspec.json.format(msgspec.json.encode(proof)))
    return services.batch_store.move_batch(
        batch.batch_id, status, services.now(), **found
    ) or services.batch_store.batch(batch.batch_id)


def _finish_dry_run(services: Services, batch: Batch) -> Batch:
    """End a batch that was only to be estimated: a report, and no other result."""
    status = statuses.CANCELLED if batch.status == statuses.CANCELLING else statuses.COMPLETED
    report_unsent(services, msgspec.structs.replace(batch, status=status))
    return services.batch_store.move_batch(batch.batch_id, status, services.now()) or services.batch_store.batch(
        batch.batch_id
    )


def _shards(services: Services, batch: Batch, count: int) -> Iterator[Shard]:
    recorded = {shard.shard: shard for shard in services.batch_store.shards(batch.batch_id)}
    for number in range(count):
        shard = recorded.get(number) or _unrecorded(services, batch, number)
        yield shard if shard.done else as_done(shard, (batch.drain_reason or UNRECORDED) if shard.unfinished else None)


def _unrecorded(services: Services, batch: Batch, number: int) -> Shard:
    return new_shard(batch, ShardLines.read(services.bucket, batch.batch_id, number))


def _status(batch: Batch, shards: list[Shard], tally: Tally) -> str:
    """Choose the end: `failed` only when no line was ever run, as with a provider that refuses every file."""
    if batch.status == statuses.CANCELLING:
        return statuses.CANCELLED
    ran = any(attempt.provider_status in RAN for shard in shards for attempt in shard.attempts)
    never_ran = not tally.succeeded and not ran and any(shard.reason for shard in shards)
    return statuses.FAILED if never_ran else statuses.COMPLETED


def _refusals(shards: list[Shard], tally: Tally) -> dict[str, object]:
    """List why lines were given up, once per reason."""
    given = (shard.reason for shard in shards if shard.reason and shard.reason.code != UNCOUNTED)
    reasons = list({(reason.code, reason.param): reason for reason in given}.values())
    return {"errors": reasons[:SHOWN_ERRORS], "errors_total": len(reasons)} if not tally.succeeded else {}
