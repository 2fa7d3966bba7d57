"""Write the results of a batch and end it: output.jsonl, errors.jsonl and report.json.

`join` and `lines/merging` make the order of the lines.
"""

import math
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from batchyard.budgets.spending import this_month
from batchyard.budgets.warnings import warn
from batchyard.costs.cost import Cost
from batchyard.costs.usage import Usage
from batchyard.domain import nesting, object_keys, statuses
from batchyard.domain.attempt import RAN
from batchyard.domain.batch import SHOWN_ERRORS, Batch, BatchError, Counts
from batchyard.domain.errors import BatchyardError
from batchyard.domain.policy import OUTCOME_UNKNOWN
from batchyard.domain.shard import Shard, as_done
from batchyard.domain.step import BatchNext, TimeBudget
from batchyard.domain.stopping import CANCELLED
from batchyard.lines.shard_lines import ShardLines, new_shard
from batchyard.observability import logger
from batchyard.planning import skipped, taken_over
from batchyard.planning.summary import read_summary, report_unsent
from batchyard.results import bill
from batchyard.results.checkpoint import any_written, write_results
from batchyard.results.file_report import report_files
from batchyard.results.file_results import write_files
from batchyard.results.join import Results, ResultsProgress, Tally
from batchyard.results.report import report
from batchyard.results.result_files import keep
from batchyard.services import Services

UNRECORDED: Final = BatchError("server_error", "The shard of this request stopped before it was finished.")
# Lines that never ran because the user cancelled are neither completed nor failed, as with OpenAI.
UNCOUNTED: Final = "batch_cancelled"


def assemble(services: Services, batch_id: str, seconds_left: Callable[[], float] = lambda: math.inf) -> BatchNext:
    """Write the results and end the batch; return what is next.

    Another call writes the same bytes, or announces a batch that has ended. If the batch is cancelled meanwhile, the next
    call ends it. When `seconds_left` runs low, a checkpoint is written, and the next call goes on.
    """
    moved = services.batch_store.move_batch(batch_id, statuses.FINALIZING, services.now())
    batch = moved or services.batch_store.batch(batch_id)
    if batch.status == statuses.FINALIZING and not any_written(services, batch_id):  # else it is announced already
        services.event_bus.announce(batch)
    if not batch.ended:
        batch = _finish_dry_run(services, batch) if batch.dry_run else _finish(services, batch, seconds_left)
    if not batch.ended:
        return BatchNext.ASSEMBLE
    logger.info("batch ended", batch_id=batch_id, status=batch.status, **msgspec.structs.asdict(batch.counts))
    services.event_bus.announce(batch)
    warn(services, batch.tenant, this_month(services, batch.tenant), batch.batch_id)
    return BatchNext.FAILED if batch.status == statuses.FAILED else BatchNext.DONE


def _finish(services: Services, batch: Batch, seconds_left: Callable[[], float]) -> Batch:
    summary = read_summary(services, batch.batch_id)
    shards = list(_shards(services, batch, summary.shards))
    skipped_runs = skipped.runs(services.bucket, batch.batch_id, summary.skipped_runs)
    taken_runs = taken_over.runs(services.bucket, batch.batch_id, summary.taken_runs, summary.taken_from)
    budget = TimeBudget(seconds_left)
    written = write_results(services, batch, shards, skipped_runs, taken_runs, budget)
    every = Results(services.bucket, shards, skipped_runs, taken_runs, ResultsProgress(), budget)
    kept = {} if written is None else _messages(services, batch, every, shards, budget)
    if written is None or kept is None:
        return batch
    files = write_files(services, batch, shards, summary, written, budget) if batch.gathered else None
    if files is None and batch.gathered:
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
        "cost": sum((shard.cost for shard in shards), Cost()),
        "priced": nesting.encode(bill.shape(services, batch, shards)),
        "output_file_id": keep(services, batch, object_keys.OUTPUT, output.object.size) if tally.succeeded else None,
        "error_file_id": keep(services, batch, object_keys.ERRORS, errors.object.size) if tally.failed else None,
        **kept,
        **_refusals(shards, tally),
    }
    status = _status(batch, shards, tally)
    proof = report(msgspec.structs.replace(batch, status=status, **found), summary, shards, tally, output, errors)
    proof |= report_files(services, batch, files) if files is not None else {}
    report_key = object_keys.result(batch.tenant, batch.batch_id, object_keys.REPORT)
    services.bucket.put(report_key, msgspec.json.format(msgspec.json.encode(proof)))
    bill.keep(services, batch, shards, summary.lines - batch.taken_over)
    moved = services.batch_store.move_batch(batch.batch_id, status, services.now(), **found)
    return moved or services.batch_store.batch(batch.batch_id)


def _messages(
    services: Services, batch: Batch, results: Results, shards: list[Shard], budget: TimeBudget
) -> dict[str, str] | None:
    """Write messages.jsonl where Anthropic's route made the batch, and return the member that names it; None: go on later."""
    if batch.messages_input is None:
        return {}
    from batchyard.results.messages_file import write_messages  # noqa: PLC0415 - few batches have it, and each cold start would pay

    size = write_messages(services, batch, results, [shard.version for shard in shards], budget)
    return None if size is None else {"messages_file_id": keep(services, batch, object_keys.MESSAGES, size)}


def _finish_dry_run(services: Services, batch: Batch) -> Batch:
    """End a batch that was only to be estimated: it gets a report and no other result."""
    status = statuses.CANCELLED if batch.status == statuses.CANCELLING else statuses.COMPLETED
    files = report_files(services, batch) if batch.gathered else None
    report_unsent(services, msgspec.structs.replace(batch, status=status), files)
    moved = services.batch_store.move_batch(batch.batch_id, status, services.now())
    return moved or services.batch_store.batch(batch.batch_id)


def _shards(services: Services, batch: Batch, count: int) -> Iterator[Shard]:
    recorded = {shard.shard: shard for shard in services.batch_store.shards(batch.batch_id)}
    for number in range(count):
        shard = recorded.get(number) or _unrecorded(services, batch, number)
        yield shard if shard.done else as_done(shard, _why_unfinished(batch, shard) if shard.unfinished else None)


def _why_unfinished(batch: Batch, shard: Shard) -> BatchError:
    """Return the outcome of the unfinished lines of a shard that is not done when the batch ends."""
    if batch.drain_reason is not None or batch.status != statuses.CANCELLING:
        return batch.drain_reason or UNRECORDED
    if not shard.may_be_paid:
        return CANCELLED
    sent_as = shard.attempts[-1].provider_batch_id
    where = f" of its batch {sent_as}" if sent_as else ""
    return BatchError(OUTCOME_UNKNOWN, f"The batch was ended before the provider told what became{where}.")


def _unrecorded(services: Services, batch: Batch, number: int) -> Shard:
    return new_shard(batch, ShardLines.read(services.bucket, batch.batch_id, number))


def _status(batch: Batch, shards: list[Shard], tally: Tally) -> str:
    """Choose how the batch ends: `failed` only if no line ever ran, as with a provider that refuses every file."""
    if batch.status == statuses.CANCELLING:
        return statuses.CANCELLED
    ran = any(attempt.end in RAN for shard in shards for attempt in shard.attempts)
    never_ran = not tally.succeeded and not ran and any(shard.reason for shard in shards)
    return statuses.FAILED if never_ran else statuses.COMPLETED


def _refusals(shards: list[Shard], tally: Tally) -> dict[str, object]:
    """List why lines are unanswered, each reason once; nothing if any line succeeded."""
    known = (shard.reason for shard in shards if shard.reason and shard.reason.code != UNCOUNTED)
    reasons = list({(reason.code, reason.param): reason for reason in known}.values())
    return {"errors": reasons[:SHOWN_ERRORS], "errors_total": len(reasons)} if not tally.succeeded else {}
