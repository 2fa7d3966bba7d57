"""Write the results of a batch, in as many invocations of Assemble as the writing takes."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from batchyard.adapters import checksums
from batchyard.adapters.object_writer import Begun
from batchyard.domain import object_keys
from batchyard.domain.batch import Batch
from batchyard.domain.errors import BatchyardError, NotFound, UploadGone
from batchyard.domain.shard import Shard
from batchyard.domain.step import OutOfTime, TimeBudget
from batchyard.lines.unanswered_shards import put_unanswered_shards
from batchyard.observability import logger
from batchyard.planning.taken_over import Taken
from batchyard.results.join import Result, Results, ResultsProgress, SkippedRuns, Tally
from batchyard.services import Services

NAMES: Final = (object_keys.OUTPUT, object_keys.ERRORS)


class Written(NamedTuple):
    """Both results, complete."""

    tally: Tally
    output: Result
    errors: Result


def write_results(
    services: Services,
    batch: Batch,
    shards: list[Shard],
    skipped_runs: SkippedRuns,
    taken_runs: list[Taken],
    budget: TimeBudget,
) -> Written | None:
    """Write the results, or go on where the last invocation stopped; None when time ran out."""
    versions = [shard.version for shard in shards]
    known = _read_progress(services, batch.batch_id)
    if known is not None and known.versions == versions:  # else a late worker changed the lines of a shard
        try:
            return _write(
                services, batch, Results(services.bucket, shards, skipped_runs, taken_runs, known, budget), known
            )
        except UploadGone as error:
            logger.warning("results are begun anew", batch_id=batch.batch_id, reason=str(error))
    put_unanswered_shards(services.bucket, batch.batch_id, shards)
    progress = ResultsProgress(versions=versions)
    return _write(
        services, batch, Results(services.bucket, shards, skipped_runs, taken_runs, progress, budget), progress
    )


def any_written(services: Services, batch_id: str) -> bool:
    """Tell whether an earlier invocation wrote a checkpoint of the results."""
    return _read_progress(services, batch_id) is not None


def _read_progress(services: Services, batch_id: str) -> ResultsProgress | None:
    try:
        return msgspec.msgpack.decode(services.bucket.get(object_keys.results_progress(batch_id)), type=ResultsProgress)
    except NotFound:
        return None


def _write_progress(services: Services, batch: Batch, progress: ResultsProgress, output: Begun, errors: Begun) -> None:
    progress.output, progress.errors = output, errors
    services.bucket.put(object_keys.results_progress(batch.batch_id), msgspec.msgpack.encode(progress))


def _begun(batch: Batch, progress: ResultsProgress) -> Iterator[tuple[str, Begun | None]]:
    """Yield the key of each result, and what is written of it."""
    keys = (object_keys.result(batch.tenant, batch.batch_id, name) for name in NAMES)
    return zip(keys, (progress.output, progress.errors), strict=True)


def _write(services: Services, batch: Batch, results: Results, progress: ResultsProgress) -> Written | None:
    if progress.completed:
        return _completed(services, batch, progress)
    resumed = progress.output is not None
    output, errors = (services.bucket.writer(key, begun=begun) for key, begun in _begun(batch, progress))
    with output, errors:
        try:
            results.write(output, errors)
        except OutOfTime:
            _write_progress(services, batch, progress, output.suspend(), errors.suspend())
            logger.info("assembling goes on in another invocation", batch_id=batch.batch_id, group=progress.group)
            return None
    if (
        resumed or batch.messages_input or batch.gathered
    ):  # another invocation must not go on with uploads that are completed, or begin anew
        progress.completed = True
        ends = (Begun(size=each.size, crc32=each.crc32) for each in (output, errors))
        _write_progress(services, batch, progress, *ends)
    return Written(
        progress.tally,
        *(_checked(services, each.key, each.size, each.crc32, each.sha256) for each in (output, errors)),
    )


def _completed(services: Services, batch: Batch, progress: ResultsProgress) -> Written:
    """Return results that an earlier invocation completed before it could end the batch."""
    ends = ((key, begun or Begun()) for key, begun in _begun(batch, progress))
    return Written(progress.tally, *(_checked(services, key, end.size, end.crc32, None) for key, end in ends))


def _checked(services: Services, key: str, size: int, crc32: int, sha256: str | None) -> Result:
    """Return a result as S3 keeps it; raises BatchyardError if the size or the checksum is not that of what was written."""
    kept, _ = services.bucket.head(key)
    if kept.size != size:
        raise BatchyardError(f"{kept.uri} has {kept.size} bytes instead of the {size} that were written")
    checksum = checksums.shown(crc32)
    if kept.checksum and kept.checksum.startswith("CRC32:") and kept.checksum != checksum:
        raise BatchyardError(f"{kept.uri} has the checksum {kept.checksum} instead of {checksum}")
    return Result(msgspec.structs.replace(kept, checksum=checksum), sha256)
