"""How a plan ends: the batch is accepted, or refused with its errors."""

from typing import Any, Final

import msgspec

from batchyard.domain import object_keys, statuses
from batchyard.domain.batch import RETRY_ALL, SKIP, Batch, Counts
from batchyard.planning import skipped
from batchyard.planning.preflight import all_lines
from batchyard.planning.progress import PlanProgress, shown_errors
from batchyard.planning.summary import Summary, report_unsent, write_summary
from batchyard.services import Services

SHARDS: Final = "shards.json"


def shards_key(batch_id: str) -> str:
    """Name the list of a batch's shards."""
    return object_keys.plan(batch_id, SHARDS)


def may_run(batch: Batch, progress: PlanProgress) -> bool:
    """Tell whether all errors are of skipped lines, and other lines are left to run.

    The files of a gathered batch that skips would be free again if it were refused, and each firing would refuse them anew: so
    it runs without a line, too.
    """
    bare = batch.gathered and batch.on_invalid == SKIP and not progress.unreadable
    skipped_alone = progress.errors_total == progress.skipped_lines
    return skipped_alone and (bare or progress.skipped_lines < progress.lines - progress.retry.taken)


def refuse(services: Services, batch: Batch, progress: PlanProgress, found: dict[str, Any]) -> Batch:
    """Record a plan that was refused, with its errors and what it found; return the batch as recorded."""
    given = {**shown_errors(progress), **found}
    refused = services.batch_store.move_batch(batch.batch_id, statuses.FAILED, services.now(), **given)
    return refused or services.batch_store.batch(batch.batch_id)


def announce_refusal(services: Services, batch: Batch) -> None:
    """Write the report of a refused batch and announce the batch; twice rather than never, if the last call ended before."""
    report_unsent(services, batch)
    services.event_bus.announce(batch)


def accept(services: Services, batch: Batch, progress: PlanProgress, estimate: dict[str, Any]) -> Batch:
    """Write the list of shards and the summary, and record the plan with its estimate; return the batch as recorded."""
    model = next(iter(progress.models)) if len(progress.models) == 1 else None
    retry = progress.retry
    if batch.retry_of is not None and batch.retry_lines == RETRY_ALL:
        for first, last in skipped.between(services.bucket, batch.batch_id, progress):
            retry.note_sent(first, last)
    summary = Summary(
        progress.lines, progress.shards, progress.endpoint, model, progress.skipped_runs, progress.codes,
        retry.taken_runs, retry.output, retry.sent, retry.sent_ranges, retry.sent_lines,
    )  # fmt: skip
    emptied_shards = set(progress.emptied_shards)
    listed = msgspec.json.encode(
        [{"shard": number} for number in range(summary.shards) if number not in emptied_shards]
    )
    services.bucket.put(shards_key(batch.batch_id), listed)
    write_summary(services, batch.batch_id, summary)
    aside = sum(read.reason is not None for read in progress.files_read)
    found = {
        "files_set_aside": aside, "counts": Counts(all_lines(progress))
        if batch.dry_run
        else Counts(summary.lines, retry.taken, progress.skipped_lines),
        "shards": summary.shards, "taken_over": retry.taken, "providers": sorted(progress.providers),
        "endpoint": summary.endpoint, "model": summary.model, **estimate,
    }  # fmt: skip
    moved = services.batch_store.move_batch(batch.batch_id, statuses.IN_PROGRESS, services.now(), **found)
    if moved is not None:
        return moved
    batch = services.batch_store.batch(batch.batch_id)  # it was cancelled, or ended, meanwhile
    return batch if batch.ended else services.batch_store.change_batch(batch.batch_id, **found)
