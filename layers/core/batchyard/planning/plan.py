"""Plan a batch: check every line, put it into a shard, and list where the lines of each shard stand."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final

import msgspec

from batchyard.domain import object_keys, statuses
from batchyard.domain.batch import SKIP, Batch, BatchError, InputObject
from batchyard.domain.errors import BatchyardError, NotFound, UploadGone
from batchyard.domain.step import BatchNext, OutOfTime, TimeBudget, fits_inline
from batchyard.lines import file_kinds
from batchyard.lines.gathered_names import GROWTH
from batchyard.lines.shard_lines import ShardLines
from batchyard.observability import logger
from batchyard.planning import gathered_scan, plan_end
from batchyard.planning.changed_lines import ChangedLines
from batchyard.planning.decompress import Damaged, TooMuch, source_of
from batchyard.planning.parent import CannotRetry, parent_of
from batchyard.planning.preflight import preflight, sum_up_targets, too_dear, unpriced
from batchyard.planning.progress import PlanProgress, read_progress, shown_errors, write_progress
from batchyard.planning.regroup import regroup, scattered
from batchyard.planning.scan import InputScan
from batchyard.planning.skipped import Skipped
from batchyard.planning.splitting import targets_of
from batchyard.planning.whole_input import check_whole_input
from batchyard.services import Services

MOST_AT_ONCE: Final = 10_000  # iterations that a Distributed Map runs at once
UNKEPT_BUDGET: Final = "the monthly budget of its tenant"


class Planned(msgspec.Struct, frozen=True):
    """What the state machine goes on with."""

    batch_id: str
    next: BatchNext
    max_concurrency: int
    #: The number of the last shard; the first one is 0.
    last_shard: int
    #: Bucket and key of the list of the shards.
    shards: dict[str, str]


def plan(
    services: Services, batch_id: str, *, resume: bool = False, seconds_left: Callable[[], float] = lambda: math.inf
) -> Planned:
    """Plan the batch, or refuse it with the errors of its lines; a batch that is planned already stays as it is.

    When `seconds_left` runs low, the progress is written, and the next call, with `resume`, goes on from there.
    """
    try:
        return _plan(services, batch_id, seconds_left, resume=resume)
    except UploadGone as error:  # of what was being written: an earlier call ended between that and its checkpoint
        if not resume:
            raise
        logger.warning("plan is begun anew", batch_id=batch_id, reason=str(error))
        return _plan(services, batch_id, seconds_left, resume=False)


def _plan(services: Services, batch_id: str, seconds_left: Callable[[], float], *, resume: bool) -> Planned:
    batch = services.batch_store.batch(batch_id)
    if not batch.ended and batch.in_progress_at is None:
        fresh = PlanProgress(
            asked_endpoint=batch.endpoint,
            asked_provider=batch.provider,
            on_invalid=batch.on_invalid,
            metered=batch.estimated,
        )
        progress = read_progress(services, batch_id) if resume else fresh
        if not _fits(progress, batch):  # the request changed between two invocations
            progress = fresh
        if not _scan(services, batch, progress, seconds_left):
            return _planned(services, batch, BatchNext.PLAN)
        gathered_scan.end(services, batch, progress)
        batch = services.batch_store.batch(batch_id)
        if not _fits(progress, batch):  # the request changed during the scan
            return _plan(services, batch_id, seconds_left, resume=False)
        found = _estimate(services, batch, progress) if batch.estimated and not progress.unreadable else {}
        accepted = plan_end.may_run(batch, progress) or (batch.dry_run and not progress.unreadable)
        record = plan_end.accept if accepted else plan_end.refuse
        batch = record(services, batch, progress, found)
    if batch.status == statuses.IN_PROGRESS:  # announced twice rather than never, if the last call ended before this
        services.event_bus.announce(batch)
    if batch.status == statuses.FAILED and batch.in_progress_at is None:
        plan_end.announce_refusal(services, batch)
    return _planned(services, batch, _next(services, batch))


def _next(services: Services, batch: Batch) -> BatchNext:
    if batch.ended:
        return BatchNext.REFUSED
    # No shard has a batch whose files are all set aside or bad, nor one that was cancelled while it was validated.
    if batch.dry_run or not batch.shards:
        return BatchNext.ASSEMBLE
    inline = fits_inline(batch.shards, _side_by_side(services, batch), services.settings.retry_ceiling_seconds)
    return BatchNext.RUN if inline else BatchNext.RUN_DISTRIBUTED


def _fits(progress: PlanProgress, batch: Batch) -> bool:
    """Tell whether the progress was made for the batch as it is asked for now."""
    scanned_for = progress.asked_endpoint, progress.asked_provider, progress.on_invalid, progress.metered
    return scanned_for == (batch.endpoint, batch.provider, batch.on_invalid, batch.estimated)


def _estimate(services: Services, batch: Batch, progress: PlanProgress) -> dict[str, Any]:
    """Estimate the batch for its record; a batch that would cost too much, or nobody knows what, gets an error first."""
    found = preflight(services, progress)
    dear = too_dear(found, batch.max_cost_usd) if batch.max_cost_usd else None
    if dear is None and batch.budgeted:
        dear = unpriced(found, UNKEPT_BUDGET)
    if dear is not None:
        progress.errors.insert(0, dear)
        progress.errors_total += 1
    found = msgspec.structs.replace(found, would_run=plan_end.may_run(batch, progress))
    errors = shown_errors(progress) if batch.dry_run else {}
    return {"preflight": msgspec.json.encode(found).decode(), **errors}


def _planned(services: Services, batch: Batch, following: BatchNext) -> Planned:
    logger.info("planned", batch_id=batch.batch_id, next=following, shards=batch.shards, lines=batch.counts.total)
    where = {"bucket": services.settings.bucket, "key": plan_end.shards_key(batch.batch_id)}
    return Planned(batch.batch_id, following, _side_by_side(services, batch), max(0, batch.shards - 1), where)


def _side_by_side(services: Services, batch: Batch) -> int:
    """Answer how many shards run at once: of several providers all, so that one that waits holds up no other's."""
    most = services.settings.max_concurrent_shards
    return max(most, min(batch.shards, MOST_AT_ONCE)) if len(batch.providers) > 1 else most


def _scan(services: Services, batch: Batch, progress: PlanProgress, seconds_left: Callable[[], float]) -> bool:
    """Bring the progress to the end of the input; False when time ran out before and the progress is written."""
    begun, budget = _stage(progress), TimeBudget(seconds_left)
    places = gathered_scan.places_so_far(services, batch, progress)
    skipped = Skipped(services.bucket, batch.batch_id, progress, places)
    targets = targets_of(services, batch.provider, batch.completion_window, GROWTH if batch.gathered else 0)
    scan = InputScan(targets, batch.endpoint, progress, skipped if batch.on_invalid == SKIP else None)
    try:
        source = source_of(services, batch, progress, budget)
        scan.places, scan.parent = places, parent_of(services, batch, progress, skipped, places)
        if wrong_kind := _wrong_kind(services, batch, source, progress):
            return _refuse_whole(scan, wrong_kind)
        _read(services, batch, source, scan, budget)
        _finish(services, batch, progress.retry.changed or source, scan, skipped, budget)
    except UploadGone:  # it is none of the input
        raise
    except gathered_scan.FileGone as error:
        return _refuse_whole(scan, error.error)
    except NotFound as error:
        logger.warning("input gone", batch_id=batch.batch_id, reason=str(error))
        return _refuse_lost(scan, f"The input {batch.input.uri} was deleted, replaced or cannot be read.")
    except Damaged as error:
        return _refuse_lost(scan, f"The input {batch.input.uri} is a damaged gzip file: {error}.")
    except (TooMuch, CannotRetry) as error:
        return _refuse_whole(scan, error.error)
    except OutOfTime:
        skipped.close()
        _write_checkpoint(services, batch, scan, begun)
        return False
    return True


def _read(services: Services, batch: Batch, source: InputObject, scan: InputScan, budget: TimeBudget) -> None:
    """Read the input to its end; raises OutOfTime between two lines."""
    with ChangedLines(services, batch, scan.progress) if batch.retry_body else nullcontext() as scan.changed:
        for full in (
            gathered_scan.FileScan(services, batch, scan).take()
            if batch.gathered
            else scan.take(services.bucket.chunks(source, scan.progress.offset))
        ):
            if full is not None:
                _write(services, batch, full, scan.progress)
            else:
                _check(budget, scan)
        if scan.changed is not None:
            scan.changed.complete()


def _check(budget: TimeBudget, scan: InputScan) -> None:
    try:
        budget.check()
    except OutOfTime:
        if scan.changed is not None:
            scan.changed.suspend()
        raise


def _finish(
    services: Services, batch: Batch, source: InputObject, scan: InputScan, skipped: Skipped, budget: TimeBudget
) -> None:
    """Do what can only be done at the end of the input."""
    if not scan.progress.whole_input_checked:
        for shard in scan.last_shards():
            _write(services, batch, shard, scan.progress)
        if scan.parent is not None:
            scan.parent.finish()
        skipped.close()
        check_whole_input(services, batch, scan, skipped if batch.on_invalid == SKIP else None, budget)
        scan.progress.whole_input_checked = True
    if scan.progress.metered:
        sum_up_targets(services, batch, scan.progress, budget)
    if plan_end.may_run(batch, scan.progress) and not batch.dry_run:
        regroup(services, batch, source, scan.progress, budget)


def _stage(progress: PlanProgress) -> tuple[int, ...]:
    """Tell how far the plan is: if an invocation does not change this, another one is of no use."""
    unpacked = progress.unpacking.size if progress.unpacking else 0
    found = progress.repeats.part, progress.whole_input_checked, progress.sized_shards, len(progress.scattered)
    return unpacked, progress.offset, *found


def _wrong_kind(services: Services, batch: Batch, source: InputObject, progress: PlanProgress) -> BatchError | None:
    """Say why the input holds no lines at all; None if it may hold some, or was looked at before."""
    if progress.offset or batch.gathered:
        return None
    start = b"".join(services.bucket.chunks(source, 0, min(file_kinds.START, source.size)))
    return file_kinds.wrong_kind(start, of_lines=batch.on_invalid == SKIP, cut=len(start) < source.size)


def _refuse_lost(scan: InputScan, why: str) -> bool:
    return _refuse_whole(scan, BatchError("invalid_request", f"{why} Upload it again.", "file_id"))


def _refuse_whole(scan: InputScan, error: BatchError) -> bool:
    scan.add_error(error, error.line)
    scan.progress.unreadable = True
    return True


def _write(services: Services, batch: Batch, shard: ShardLines, progress: PlanProgress) -> None:
    if scattered(shard):
        progress.scattered.add(shard.shard)
    services.bucket.put(object_keys.shard_lines(batch.batch_id, shard.shard), shard.pack())


def _write_checkpoint(services: Services, batch: Batch, scan: InputScan, begun: tuple[int, ...]) -> None:
    progress = scan.progress
    if scan.parent is not None:
        scan.parent.close()
    if _stage(progress) == begun:
        raise BatchyardError(f"planning {batch.batch_id} came no further in a whole invocation: its input is too large")
    progress.open_shards = [] if progress.whole_input_checked else [shard.packed() for shard in scan.open_shards()]
    write_progress(services, batch.batch_id, progress)
    logger.info("plan goes on in another invocation", batch_id=batch.batch_id, offset=progress.offset)
