"""The results of each file of a gathered batch: the same bytes as in the whole results, each file's in objects of their own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from batchyard.adapters import checksums
from batchyard.adapters.object_writer import LARGEST_COPY, SMALLEST_PART
from batchyard.domain import object_keys
from batchyard.domain.batch import Batch
from batchyard.domain.errors import BatchyardError, NotFound
from batchyard.domain.shard import Shard, answer_runs
from batchyard.domain.step import OutOfTime, TimeBudget
from batchyard.lines.byte_ranges import ByteRanges
from batchyard.lines.file_places import (
    FilePlaces,
    FileResult,
    FileResults,
    places_of,
    read_results,
    write_results,
)
from batchyard.lines.runs import Run
from batchyard.observability import logger
from batchyard.planning.summary import Summary
from batchyard.results.checkpoint import Written
from batchyard.services import Services

WRITERS: Final = 8
TOGETHER: Final = 100  # files at most whose results are read and written together …
MOST_BYTES: Final = 16 * 1024 * 1024  # … and the bytes of these
CHECKPOINT: Final = 1_000  # files, after which the progress is written


class Part(NamedTuple):
    """Bytes of a whole result that belong to one file."""

    #: The place of the file.
    at: int
    #: The name of the result.
    name: str
    start: int
    #: Bytes.
    size: int


def write_files(
    services: Services, batch: Batch, shards: list[Shard], summary: Summary, written: Written, budget: TimeBudget
) -> FileResults | None:
    """Write the results of each file, or go on where the last invocation stopped; None when time ran out.

    Raises BatchyardError if the files together have not what the whole results have.
    """
    progress = _known(services, batch, [shard.version for shard in shards])
    if not progress.files:
        places = places_of(services.bucket, batch)
        progress.files = [FileResult() for _ in places.read]
        _count(services, batch, shards, summary, places, progress.files)
    _check(written, progress.files)
    try:
        _Writer(services, batch, written).write(progress, budget)
    except OutOfTime:
        write_results(services.bucket, batch.batch_id, progress)
        logger.info("results of files go on in another invocation", batch_id=batch.batch_id, files=progress.written)
        return None
    write_results(services.bucket, batch.batch_id, progress)
    return progress


def _known(services: Services, batch: Batch, versions: list[int]) -> FileResults:
    try:
        known = read_results(services.bucket, batch.batch_id)
    except NotFound:
        return FileResults(versions, [])
    return known if known.versions == versions else FileResults(versions, [])


def _count(
    services: Services, batch: Batch, shards: list[Shard], summary: Summary, places: FilePlaces, files: list[FileResult]
) -> None:
    """Count the lines and bytes of each file from the indexes of the runs; no line is read."""
    for run in _output(services, batch, shards, summary):
        for at, lines, size in _of_files(run, places):
            files[at].completed, files[at].output_bytes = files[at].completed + lines, files[at].output_bytes + size
    for run in _errors(services, batch, shards, summary):
        for at, lines, size in _of_files(run, places):
            files[at].failed, files[at].errors_bytes = files[at].failed + lines, files[at].errors_bytes + size


def _of_files(run: Run, places: FilePlaces) -> Iterator[tuple[int, int, int]]:
    positions, sizes = run.places()
    for at, start, stop in places.parts(positions):
        yield at, stop - start, sum(sizes[start:stop])


def _output(services: Services, batch: Batch, shards: list[Shard], summary: Summary) -> Iterator[Run]:
    yield from _of_attempts(services, shards, "output")
    for taken in summary.taken_runs:
        yield Run(services.bucket, object_keys.taken_over(batch.batch_id, taken.first, taken.count))


def _errors(services: Services, batch: Batch, shards: list[Shard], summary: Summary) -> Iterator[Run]:
    yield from _of_attempts(services, shards, "errors")
    for shard in shards:
        if shard.unfinished:
            yield Run(services.bucket, object_keys.unanswered(batch.batch_id, shard.shard, shard.version))
    for first, count in summary.skipped_runs:
        yield Run(services.bucket, object_keys.skipped(batch.batch_id, first, count))


def _of_attempts(services: Services, shards: list[Shard], name: str) -> Iterator[Run]:
    for shard in shards:
        yield from (Run(services.bucket, run.key) for run in answer_runs(shard) if run.name == name)


def _check(written: Written, files: list[FileResult]) -> None:
    told = written.tally.succeeded, written.tally.failed, written.output.object.size, written.errors.object.size
    found = tuple(
        sum(getattr(file, name) for file in files) for name in ("completed", "failed", "output_bytes", "errors_bytes")
    )
    if told != found:
        raise BatchyardError(f"the results have {told} lines and bytes, but those of their files {found}")


class _Writer:
    """Write the results of files out of the whole results."""

    def __init__(self, services: Services, batch: Batch, written: Written) -> None:
        self._services, self._batch, self._bucket = services, batch, services.bucket
        self._names = [file.name for file in services.bucket.file_list(batch.input).files]
        wholes = {object_keys.OUTPUT: written.output.object, object_keys.ERRORS: written.errors.object}
        # without its version, which whoever writes results may not read; the ETag pins the object as well
        self._sources = {name: msgspec.structs.replace(whole, version_id=None) for name, whole in wholes.items()}

    def write(self, progress: FileResults, budget: TimeBudget) -> None:
        """Write from the file `progress.written` on; raises OutOfTime where the progress is true."""
        saved = progress.written
        with ThreadPoolExecutor(WRITERS) as writers:
            for behind, parts in _together(progress.files, progress.written):
                budget.check()
                for part, checksum in self._write([part for part in parts if self._has_key(part)], writers):
                    setattr(progress.files[part.at], f"{part.name.partition('.')[0]}_crc32", checksum)
                progress.written = behind
                if behind - saved >= CHECKPOINT:
                    write_results(self._bucket, self._batch.batch_id, progress)
                    saved = behind

    def _has_key(self, part: Part) -> bool:
        """Tell whether a result can be written; that of a file set aside for its name, which is empty, cannot."""
        batch, name = self._batch, self._names[part.at]
        return bool(part.size) or object_keys.why_without_results(batch.tenant, batch.batch_id, name) is None

    def _write(self, parts: list[Part], writers: ThreadPoolExecutor) -> Iterator[tuple[Part, int]]:
        """Write some parts, and yield the CRC-32 of each."""
        small = [part for part in parts if part.size < SMALLEST_PART]
        yield from writers.map(self._put, *zip(*self._read(small), strict=True)) if small else ()
        yield from ((part, self._copy(part)) for part in parts if part.size >= SMALLEST_PART)

    def _read(self, parts: list[Part]) -> Iterator[tuple[Part, bytes]]:
        """Read small parts of the whole results, neighbours with one request."""
        for name, source in self._sources.items():
            own, at = [part for part in parts if part.name == name], 0
            ranges = [(part.start, part.start + part.size) for part in own if part.size]
            data = b"".join(ByteRanges(self._bucket, source, ranges))
            for part in own:
                yield part, data[at : at + part.size]
                at += part.size

    def _put(self, part: Part, data: bytes) -> tuple[Part, int]:
        self._services.file_bucket.put(self._key(part), data, _life(self._batch))
        return part, crc32(data)

    def _copy(self, part: Part) -> int:
        """Have S3 copy a large part; return the CRC-32 of what S3 then has."""
        key, source, stop = self._key(part), self._sources[part.name], part.start + part.size
        with self._bucket.writer(key, hashing=False) as writer:
            for start in range(part.start, stop, LARGEST_COPY):
                writer.copy_range(source, start, min(LARGEST_COPY, stop - start), 0)
        kept, _ = self._bucket.head(key)
        if kept.size != part.size:
            raise BatchyardError(f"{kept.uri} has {kept.size} bytes instead of {part.size}")
        if (life := _life(self._batch)) is not None:
            self._services.file_bucket.tag(key, life)
        told = checksums.read(kept.checksum)
        return _crc32(self._bucket.chunks(source, part.start, stop)) if told is None else told

    def _key(self, part: Part) -> str:
        batch = self._batch
        return object_keys.result_of_file(batch.tenant, batch.batch_id, self._names[part.at], part.name)


def _together(files: list[FileResult], first: int) -> Iterator[tuple[int, list[Part]]]:
    """Yield the parts of some files at a time, and the place of the file behind them."""
    starts = {
        name: list(accumulate((getattr(file, member) for file in files), initial=0))
        for name, member in ((object_keys.OUTPUT, "output_bytes"), (object_keys.ERRORS, "errors_bytes"))
    }
    parts: list[Part] = []
    for at in range(first, len(files)):
        parts += [Part(at, name, each[at], each[at + 1] - each[at]) for name, each in starts.items()]
        if len(parts) >= 2 * TOGETHER or sum(part.size for part in parts) >= MOST_BYTES:
            yield at + 1, parts
            parts = []
    if parts:
        yield len(files), parts


def _crc32(chunks: Iterator[bytes]) -> int:
    """Return the CRC-32 of the bytes of all chunks."""
    found = 0
    for chunk in chunks:
        found = crc32(chunk, found)
    return found


def _life(batch: Batch) -> int | None:
    """Return the seconds that the results are to be kept; None if their user does not say."""
    return batch.output_expires_after["seconds"] if batch.output_expires_after else None
