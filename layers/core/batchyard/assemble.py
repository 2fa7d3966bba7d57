"""Put the results of a batch together: output.jsonl, errors.jsonl and report.json."""

from collections.abc import Iterator
from typing import Final

import msgspec

from batchyard import aside, keys, result_files, statuses
from batchyard.adapters.writer import Writer
from batchyard.batch import SHOWN_ERRORS, Batch, Counts, LineError, Usage
from batchyard.errors import BatchyardError
from batchyard.plan import read_summary
from batchyard.preflight import report_unsent
from batchyard.relay import any_relayed
from batchyard.report import Result, report
from batchyard.results import Tally, write
from batchyard.shard import Shard, finish, new_shard
from batchyard.splitting import ShardLines
from batchyard.yard import Yard

UNRECORDED: Final = LineError("server_error", "The shard of this request stopped before it was finished.")
RAN: Final = frozenset({"completed", "expired", "cancelled"})  # how a provider batch ends that ran lines
# Lines that were never run because the user cancelled are in neither count, as with OpenAI.
UNCOUNTED: Final = "batch_cancelled"


def assemble(yard: Yard, batch_id: str) -> str:
    """Write the results and end the batch; answers what is next: `done`, `failed` when it ended so, `assemble` or `run`.

    Running it again writes the same bytes; a batch that has ended is only announced again. One that was cancelled while its
    results were written is assembled once more, to end as cancelled. One with a shard that was handed over is run again first.
    """
    if any_relayed(yard, batch_id):
        return "run"
    batch = yard.records.move_batch(batch_id, statuses.FINALIZING, yard.now()) or yard.records.batch(batch_id)
    if batch.status == statuses.FINALIZING:
        yard.events.announce(batch)
    if not batch.ended:
        batch = _finish_dry_run(yard, batch) if batch.dry_run else _finish(yard, batch)
    if not batch.ended:
        return "assemble"
    yard.events.announce(batch)
    return "failed" if batch.status == statuses.FAILED else "done"


def _finish(yard: Yard, batch: Batch) -> Batch:
    batch_id = batch.batch_id
    summary = read_summary(yard, batch_id)
    shards = list(_shards(yard, batch, summary.shards))
    output_key, errors_key, report_key = (
        keys.result(batch.tenant, batch.batch_id, name) for name in ("output.jsonl", "errors.jsonl", "report.json")
    )
    with yard.objects.writer(output_key) as output, yard.objects.writer(errors_key) as errors:
        tally = write(yard.objects, shards, output, errors, aside.runs(yard.objects, batch_id, summary.asides))
    tally.codes.update(summary.codes)
    if tally.succeeded + tally.failed != summary.lines:
        raise BatchyardError(
            f"{batch.batch_id} has {summary.lines} lines but {tally.succeeded} + {tally.failed} outcomes"
        )
    found = {
        "counts": Counts(summary.lines, tally.succeeded, tally.failed - tally.codes[UNCOUNTED]),
        "usage": sum((shard.usage for shard in shards), Usage()),
        "output_file_id": result_files.keep(yard, batch, "output.jsonl", output.size) if tally.succeeded else None,
        "error_file_id": result_files.keep(yard, batch, "errors.jsonl", errors.size) if tally.failed else None,
        **_refusals(shards, tally),
    }
    status = _status(batch, shards, tally)
    results = _result(yard, output), _result(yard, errors)
    proof = report(msgspec.structs.replace(batch, status=status, **found), summary, shards, tally, *results)
    yard.objects.put(report_key, msgspec.json.format(msgspec.json.encode(proof)))
    return yard.records.move_batch(batch.batch_id, status, yard.now(), **found) or yard.records.batch(batch.batch_id)


def _finish_dry_run(yard: Yard, batch: Batch) -> Batch:
    """End a batch that was only to be estimated: a report, and no other result."""
    status = statuses.CANCELLED if batch.status == statuses.CANCELLING else statuses.COMPLETED
    report_unsent(yard, msgspec.structs.replace(batch, status=status))
    return yard.records.move_batch(batch.batch_id, status, yard.now()) or yard.records.batch(batch.batch_id)


def _shards(yard: Yard, batch: Batch, count: int) -> Iterator[Shard]:
    recorded = {shard.shard: shard for shard in yard.records.shards(batch.batch_id)}
    for number in range(count):
        shard = recorded.get(number) or _unrecorded(yard, batch, number)
        yield shard if shard.done else finish(shard, UNRECORDED if shard.unfinished else None)


def _unrecorded(yard: Yard, batch: Batch, number: int) -> Shard:
    return new_shard(batch, ShardLines.unpack(yard.objects.get(keys.shard_lines(batch.batch_id, number))))


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


def _result(yard: Yard, written: Writer) -> Result:
    """Look at what S3 keeps of a result: its version, and a checksum of all of it, whoever moved its bytes."""
    kept, _ = yard.objects.head(written.key)
    if kept.size != written.size:
        raise BatchyardError(f"{kept.uri} has {kept.size} bytes instead of the {written.size} that were written")
    return Result(kept, written.sha256)
