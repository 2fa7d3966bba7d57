"""The errors of a batch by their code: how many lines have each, and some of these lines."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from batchyard.domain import nesting, object_keys, outcomes, statuses
from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.errors import NotFound
from batchyard.domain.shard import Shard
from batchyard.inspection.answer_runs import AnswerRuns
from batchyard.lines.file_places import FilePlaces, places_of
from batchyard.lines.runs import Run
from batchyard.lines.shard_lines import ShardLines
from batchyard.planning import skipped
from batchyard.planning.summary import read_summary
from batchyard.services import Services

SAMPLES: Final = 3  # lines of each code
MOST_SHARDS: Final = 8  # that are looked at for samples
MOST_LINES: Final = 200  # of each run that are looked at …
PIECE: Final = 64 * 1024  # … in pieces of so many bytes
LONGEST_MESSAGE: Final = 300  # characters
Samples = dict[str, list[dict[str, Any]]]


class _Sums(msgspec.Struct):
    by_code: dict[str, int] = {}


class _SkippedLine(msgspec.Struct):
    error: BatchError
    custom_id: str | None = None


class _Report(msgspec.Struct):
    errors: _Sums | None = None


def error_list(services: Services, batch: Batch) -> dict[str, Any]:
    """Return each code with its count and some sample lines, the most frequent first."""
    shards = list(services.batch_store.shards(batch.batch_id))
    places = _places(services, batch)
    samples = _of_input(batch) if places is None else {}
    counts = _reported(services, batch) or _counted(batch, shards)
    failed = (shard for shard in shards if shard.failed or (batch.ended and shard.unfinished))
    runs = AnswerRuns(services.bucket, batch)
    for shard in islice(failed, MOST_SHARDS):
        _sample(services, shard, runs.errors(shard), samples, places)
    if counts.keys() - samples.keys():
        _sample_skipped(services, batch, samples, places)
    data = [
        {"object": "batch.error", "code": code, "count": count, "samples": samples.get(code, [])}
        for code, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]
    return {"object": "list", "data": data, "total": sum(counts.values())}


def _places(services: Services, batch: Batch) -> FilePlaces | None:
    """Return the files of a gathered batch; None of any other, and of one whose input was refused."""
    try:
        return places_of(services.bucket, batch) if batch.gathered and batch.status != statuses.FAILED else None
    except NotFound:  # the plan is not complete, or is gone
        return None


def _of_input(batch: Batch) -> Samples:
    """Return samples of the faults of the input, which the record of the batch lists; those of files by lines of these."""
    samples: Samples = {}
    for error in batch.errors:
        line = {"line": None, "file_line": error.line} if batch.gathered else {"line": error.line}
        _add(samples, error.code, {**line, "custom_id": None, "message": error.message[:LONGEST_MESSAGE]})
    return samples


def _line(number: int | None, places: FilePlaces | None) -> dict[str, Any]:
    """Tell which line of the input has a number, and of which file it is."""
    if number is None or places is None:
        return {"line": number}
    of_file = places.line(number)
    return {"line": number, "file": of_file.file, "file_line": of_file.number}


def _counted(batch: Batch, shards: list[Shard]) -> Mapping[str, int]:
    """Count the errors that are known so far."""
    counts: dict[str, int] = {}
    for error in batch.errors:
        counts[error.code] = counts.get(error.code, 0) + 1
    for shard in shards:
        for code, lines in shard.codes.items():
            counts[code] = counts.get(code, 0) + lines
    return counts


def _reported(services: Services, batch: Batch) -> Mapping[str, int]:
    """Read the counts of an ended batch from its report; nothing where there are none."""
    if not batch.ended:
        return {}
    try:
        text = services.bucket.get(object_keys.result(batch.tenant, batch.batch_id, object_keys.REPORT))
        report = msgspec.json.decode(text, type=_Report)
    except (NotFound, msgspec.ValidationError):  # removed; or the report of a batch that sent nothing
        return {}
    return report.errors.by_code if report.errors else {}


def _skipped_line(number: int | None, position: int, places: FilePlaces | None) -> dict[str, Any]:
    """Tell which line was skipped; in a file it is not among the lines that are listed."""
    return {"line": number} if places is None else {"line": None, "file": places.file(position), "file_line": number}


def _sample(services: Services, shard: Shard, runs: list[Run], samples: Samples, places: FilePlaces | None) -> None:
    """Add the first errors of a shard to the samples of their codes."""
    found = list(_lacking(_first_errors(runs), samples))
    if not found:
        return
    lines = ShardLines.read(services.bucket, shard.batch_id, shard.shard)
    for code, position, custom_id, message in found:
        ordinal = bisect_left(lines.positions, position)
        number = lines.numbers[ordinal] if ordinal < len(lines) else None
        _add(samples, code, {**_line(number, places), "custom_id": custom_id, "message": message})


def _sample_skipped(services: Services, batch: Batch, samples: Samples, places: FilePlaces | None) -> None:
    """Add the first skipped lines of the input, whose error lines name their numbers: in their file, if it has files."""
    try:
        skipped_runs = read_summary(services, batch.batch_id).skipped_runs
    except NotFound:  # the plan is not complete, or is gone
        return
    for _, run in skipped.runs(services.bucket, batch.batch_id, skipped_runs[:MOST_SHARDS]):
        for position, line in islice(_lines(run), MOST_LINES):
            told = msgspec.json.decode(line, type=_SkippedLine)
            sample = {
                **_skipped_line(told.error.line, position, places),
                "custom_id": told.custom_id,
                "message": told.error.message[:LONGEST_MESSAGE],
            }
            _add(samples, told.error.code, sample)


def _lacking(errors: Iterator[tuple[str, int, str, str]], samples: Samples) -> Iterator[tuple[str, int, str, str]]:
    """Yield those errors of whose code there are too few samples."""
    counts = {code: len(known) for code, known in samples.items()}
    for error in errors:
        counts[error[0]] = counts.get(error[0], 0) + 1
        if counts[error[0]] <= SAMPLES:
            yield error


def _first_errors(runs: list[Run]) -> Iterator[tuple[str, int, str, str]]:
    """Yield code, position, custom_id and message of the first errors of each run."""
    for run in runs:
        for position, line in islice(_lines(run), MOST_LINES):
            answer = outcomes.parse(line)
            if answer is not None:
                yield outcomes.code_of(answer), position, answer.custom_id, message_of(line)


def _lines(run: Run) -> Iterator[tuple[int, bytes]]:
    try:
        yield from run.lines(PIECE)
    except NotFound:
        return


def message_of(line: bytes) -> str:
    """Read the words of an error line; empty where it has none."""
    try:
        told = nesting.decode(line)
    except ValueError:
        return ""
    response = told.get("response") if isinstance(told, dict) else None
    body = response.get("body") if isinstance(response, dict) else None
    for place in (body, told):
        error = place.get("error") if isinstance(place, dict) else None
        message = error.get("message") if isinstance(error, dict) else error
        if isinstance(message, str) and message:
            return message[:LONGEST_MESSAGE]
    return ""


def _add(samples: Samples, code: str, sample: dict[str, Any]) -> None:
    known = samples.setdefault(code, [])
    if len(known) < SAMPLES:
        known.append(sample)
