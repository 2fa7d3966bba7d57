"""Plan a batch: check every line, find its shards, and write down where each line stands."""

import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from batchyard.domain import object_keys, statuses
from batchyard.domain.batch import SKIP, Batch, BatchError, Counts, InputObject
from batchyard.domain.errors import BatchyardError, NotFound
from batchyard.domain.history import fits_inline
from batchyard.domain.time_budget import InTime, OutOfTime, watch
from batchyard.lines import file_kinds
from batchyard.lines.shard_lines import ShardLines
from batchyard.observability import logger
from batchyard.planning.decompress import Damaged, source_of
from batchyard.planning.preflight import all_lines, preflight, too_dear, weigh
from batchyard.planning.progress import PlanProgress
from batchyard.planning.regroup import regroup, scattered
from batchyard.planning.scan import InputScan
from batchyard.planning.skipped import Skipped
from batchyard.planning.splitting import Limits
from batchyard.planning.summary import Summary, report_unsent
from batchyard.planning.whole_input import check_whole_input
from batchyard.services import Services

SUMMARY: Final = "summary.msgpack"
PROGRESS: Final = "progress.msgpack"
SHARDS: Final = "shards.json"


class Planned(msgspec.Struct, frozen=True):
    """What the state machine of a batch goes on with."""

    batch_id: str
    #: `run`, or `run_distributed` for what one history cannot hold; `refused`; `assemble` after a dry run; `plan` when
    #: there was not time enough.
    next: str
    #: Shards that may run at once.
    max_concurrency: int
    #: The number of the last shard; the first one is 0.
    last_shard: int
    #: Where the list of the shards lies.
    shards: dict[str, str]


def plan(
    services: Services, batch_id: str, *, resume: bool = False, seconds_left: Callable[[], float] = lambda: math.inf
) -> Planned:
    """Plan the batch, or refuse it with the errors of its lines; a batch that is planned already is left as it is.

    When `seconds_left` runs low, what was found so far is put down, and the next call, with `resume`, goes on from there.
    """
    batch = services.batch_store.batch(batch_id)
    if not batch.ended and batch.in_progress_at is None:
        fresh = PlanProgress(asked=batch.endpoint, on_invalid=batch.on_invalid, metered=batch.estimated)
        progress = read_progress(services, batch_id) if resume else fresh
        if not _same(progress, batch):  # somebody asked for another while the plan was put down
            progress = fresh
        if not _survey(services, batch, progress, seconds_left):
            return _planned(services, batch, "plan")
        batch = services.batch_store.batch(batch_id)
        if not _same(progress, batch):  # somebody asked for one while we read
            return plan(services, batch_id, seconds_left=seconds_left)
        found = _estimate(services, batch, progress) if batch.estimated and not progress.unreadable else {}
        accepted = _may_run(progress) or (batch.dry_run and not progress.unreadable)
        batch = _accept(services, batch, progress, found) if accepted else _refuse(services, batch, progress, found)
    if batch.status == statuses.IN_PROGRESS:  # told again rather than never, if the last run ended before it could tell
        services.event_bus.announce(batch)
    if batch.status == statuses.FAILED and batch.in_progress_at is None:
        _tell_refusal(services, batch)
    return _planned(services, batch, _following(services, batch))


def _following(services: Services, batch: Batch) -> str:
    if batch.ended:
        return "refused"
    if batch.dry_run:
        return "assemble"
    settings = services.settings
    inline = fits_inline(batch.shards, settings.max_concurrent_shards, settings.retry_ceiling_seconds)
    return "run" if inline else "run_distributed"


def _same(progress: PlanProgress, batch: Batch) -> bool:
    """Tell whether the batch is still asked for as the progress took it."""
    taken = progress.asked, progress.on_invalid, progress.metered
    return taken == (batch.endpoint, batch.on_invalid, batch.estimated)


def _may_run(progress: PlanProgress) -> bool:
    """Tell whether there is nothing wrong but with lines that were set aside, and something to run beside them."""
    return progress.errors_total == progress.set_aside < progress.lines


def _estimate(services: Services, batch: Batch, progress: PlanProgress) -> dict[str, Any]:
    """Estimate the batch for its record; one that would cost too much gets an error of its own, before all others."""
    found = preflight(services, progress)
    dear = too_dear(found, batch.max_cost_usd) if batch.max_cost_usd else None
    if dear is not None:
        progress.errors.insert(0, dear)
        progress.errors_total += 1
    found = msgspec.structs.replace(found, would_run=_may_run(progress))
    told = {"errors": progress.errors, "errors_total": progress.errors_total} if batch.dry_run else {}
    return {"preflight": msgspec.json.encode(found).decode(), **told}


def read_summary(services: Services, batch_id: str) -> Summary:
    """Read what the plan found out."""
    return msgspec.msgpack.decode(services.bucket.get(object_keys.plan(batch_id, SUMMARY)), type=Summary)


def read_progress(services: Services, batch_id: str) -> PlanProgress:
    """Read how far an unfinished plan came."""
    return msgspec.msgpack.decode(services.bucket.get(object_keys.plan(batch_id, PROGRESS)), type=PlanProgress)


def _planned(services: Services, batch: Batch, following: str) -> Planned:
    where = {"bucket": services.settings.bucket, "key": object_keys.plan(batch.batch_id, SHARDS)}
    return Planned(batch.batch_id, following, services.settings.max_concurrent_shards, max(0, batch.shards - 1), where)


def _survey(services: Services, batch: Batch, progress: PlanProgress, seconds_left: Callable[[], float]) -> bool:
    """Bring the progress to the end of the input; False when time ran out before and it was put down."""
    settings = services.settings
    limits = Limits(
        settings.max_requests_per_shard, settings.max_bytes_per_shard, settings.max_embedding_inputs_per_shard,
        settings.max_tokens_per_shard,
    )  # fmt: skip
    begun, in_time = _stage(progress), watch(seconds_left)
    skipped = Skipped(services.bucket, batch.batch_id, progress)
    skipping = skipped if batch.on_invalid == SKIP else None
    scan = InputScan(limits, batch.endpoint, progress, skipping)
    try:
        source = source_of(services, batch, progress, in_time)
        if wrong_kind := _wrong_kind(services, batch, source, progress):
            return _refuse_whole(scan, wrong_kind)
        for full in scan.take(services.bucket.chunks(source, progress.offset)):
            if full is not None:
                _write(services, batch, full, progress)
            else:
                in_time()
        _finish(services, batch, source, scan, skipped, in_time)
    except NotFound as error:
        logger.warning("input gone", batch_id=batch.batch_id, reason=str(error))
        return _lost(scan, f"The input {batch.input.uri} was deleted, replaced or cannot be read.")
    except Damaged as error:
        return _lost(scan, f"The input {batch.input.uri} is a damaged gzip file: {error}.")
    except OutOfTime:
        skipped.close()
        _put_down(services, batch, scan, begun)
        return False
    return True


def _finish(
    services: Services, batch: Batch, source: InputObject, scan: InputScan, skipped: Skipped, in_time: InTime
) -> None:
    """Do what only the end of the input allows."""
    if not scan.progress.looked:
        for begun in scan.rest():
            _write(services, batch, begun, scan.progress)
        skipped.close()
        check_whole_input(services, batch, scan, skipped if batch.on_invalid == SKIP else None, in_time)
        scan.progress.looked = True
    if scan.progress.metered:
        weigh(services, batch, scan.progress, in_time)
    if _may_run(scan.progress) and not batch.dry_run:
        regroup(services, batch, source, scan.progress, in_time)


def _stage(progress: PlanProgress) -> tuple[int, ...]:
    """Tell how far the plan is: it changes, or there is no use in another invocation."""
    unpacked = progress.unpacking.size if progress.unpacking else 0
    found = progress.repeats.part, progress.looked, progress.weighed, len(progress.scattered)
    return unpacked, progress.offset, *found


def _wrong_kind(services: Services, batch: Batch, source: InputObject, progress: PlanProgress) -> BatchError | None:
    """Say what the input is if it holds no lines; where bad lines are skipped, only what no line could be of."""
    if progress.offset:
        return None
    start = b"".join(services.bucket.chunks(source, 0, min(file_kinds.START, source.size)))
    return file_kinds.foreign(start, of_lines=batch.on_invalid == SKIP)


def _lost(scan: InputScan, why: str) -> bool:
    return _refuse_whole(scan, BatchError("invalid_request", f"{why} Upload it again.", "file_id"))


def _refuse_whole(scan: InputScan, error: BatchError) -> bool:
    scan.complain(error, error.line)
    scan.progress.unreadable = True
    return True


def _write(services: Services, batch: Batch, shard: ShardLines, progress: PlanProgress) -> None:
    if scattered(shard):
        progress.scattered.add(shard.shard)
    services.bucket.put(object_keys.shard_lines(batch.batch_id, shard.shard), shard.pack())


def _put_down(services: Services, batch: Batch, scan: InputScan, begun: tuple[int, ...]) -> None:
    if _stage(scan.progress) == begun:
        raise BatchyardError(f"planning {batch.batch_id} came no further in a whole invocation: its input is too large")
    scan.progress.opened = [] if scan.progress.looked else [shard.packed() for shard in scan.rest()]
    services.bucket.put(object_keys.plan(batch.batch_id, PROGRESS), msgspec.msgpack.encode(scan.progress))
    logger.info("plan goes on in another run", batch_id=batch.batch_id, offset=scan.progress.offset)


def _refuse(services: Services, batch: Batch, progress: PlanProgress, found: dict[str, Any]) -> Batch:
    given = {"errors": progress.errors, "errors_total": progress.errors_total, **found}
    refused = services.batch_store.move_batch(batch.batch_id, statuses.FAILED, services.now(), **given)
    return refused or services.batch_store.batch(batch.batch_id)


def _tell_refusal(services: Services, batch: Batch) -> None:
    """Write the report of a refused batch and announce it; again rather than never, if an earlier run ended in between."""
    report_unsent(services, batch)
    services.event_bus.announce(batch)


def _accept(services: Services, batch: Batch, progress: PlanProgress, estimate: dict[str, Any]) -> Batch:
    model = next(iter(progress.models)) if len(progress.models) == 1 else None
    summary = Summary(progress.lines, progress.shards, progress.endpoint, model, progress.skipped, progress.codes)
    emptied = set(progress.emptied)
    listed = msgspec.json.encode([{"shard": number} for number in range(summary.shards) if number not in emptied])
    services.bucket.put(object_keys.plan(batch.batch_id, SHARDS), listed)
    services.bucket.put(object_keys.plan(batch.batch_id, SUMMARY), msgspec.msgpack.encode(summary))
    found = {
        "counts": Counts(all_lines(progress)) if batch.dry_run else Counts(summary.lines, failed=progress.set_aside),
        "shards": summary.shards,
        "endpoint": summary.endpoint, "model": summary.model, **estimate,
    }  # fmt: skip
    moved = services.batch_store.move_batch(batch.batch_id, statuses.IN_PROGRESS, services.now(), **found)
    if moved is not None:
        return moved
    batch = services.batch_store.batch(batch.batch_id)  # it was cancelled, or ended, meanwhile
    return batch if batch.ended else services.batch_store.change_batch(batch.batch_id, **found)
