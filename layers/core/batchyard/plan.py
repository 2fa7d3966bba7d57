"""Plan a batch: check every line, find its shards, and write down where each line stands."""

import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from batchyard import keys, lines, statuses
from batchyard.batch import SHOWN_ERRORS, Batch, Counts, InputObject, LineError
from batchyard.errors import NotFound
from batchyard.log import logger
from batchyard.scanning import Found, scan
from batchyard.splitting import Limits, ShardLines, Splitter
from batchyard.yard import Yard

LONGEST_LINE: Final = 16 * 1024 * 1024
SUMMARY: Final = "summary.msgpack"
SHARDS: Final = "shards.json"


class Summary(msgspec.Struct, frozen=True):
    """What the plan found out: written last, so that a plan with a summary is whole. `sha256` is the input's, in hex."""

    lines: int
    shards: int
    sha256: str
    endpoint: str | None
    model: str | None


class Planned(msgspec.Struct, frozen=True):
    """What the state machine goes on with."""

    batch_id: str
    next: str
    max_concurrency: int
    shards: dict[str, str]


def plan(yard: Yard, batch_id: str) -> Planned:
    """Plan the batch, or refuse it with the errors of its lines; a batch that is planned already is left as it is."""
    batch = yard.records.batch(batch_id)
    if not batch.ended and batch.in_progress_at is None:
        survey = _Survey(yard, batch)
        try:
            survey.run()
        except NotFound as error:
            logger.warning("input gone", batch_id=batch_id, reason=str(error))
            survey.gone()
        batch = _refuse(yard, batch, survey) if survey.errors_total else _accept(yard, batch, survey)
    following = "refused" if batch.ended else "run"
    where = {"bucket": yard.settings.bucket, "key": keys.plan(batch_id, SHARDS)}
    return Planned(batch_id, following, yard.settings.max_concurrent_shards, where)


def read_summary(yard: Yard, batch_id: str) -> Summary:
    """Read what the plan found out."""
    return msgspec.msgpack.decode(yard.objects.get(keys.plan(batch_id, SUMMARY)), type=Summary)


def _refuse(yard: Yard, batch: Batch, survey: "_Survey") -> Batch:
    refused = yard.records.move_batch(
        batch.batch_id, statuses.FAILED, yard.now(), errors=survey.errors, errors_total=survey.errors_total
    )
    if refused is not None:
        yard.events.announce(refused)
    return refused or yard.records.batch(batch.batch_id)


def _accept(yard: Yard, batch: Batch, survey: "_Survey") -> Batch:
    summary = survey.summary()
    listed = msgspec.json.encode([{"shard": number} for number in range(summary.shards)])
    yard.objects.put(keys.plan(batch.batch_id, SHARDS), listed)
    yard.objects.put(keys.plan(batch.batch_id, SUMMARY), msgspec.msgpack.encode(summary))
    found = {
        "counts": Counts(total=summary.lines), "shards": summary.shards,
        "endpoint": summary.endpoint, "model": summary.model,
    }  # fmt: skip
    moved = yard.records.move_batch(batch.batch_id, statuses.IN_PROGRESS, yard.now(), **found)
    if moved is not None:
        yard.events.announce(moved)
        return moved
    batch = yard.records.batch(batch.batch_id)  # it was cancelled, or ended, meanwhile
    return batch if batch.ended else yard.records.change_batch(batch.batch_id, **found)


class _Survey:
    """One pass over the input."""

    def __init__(self, yard: Yard, batch: Batch) -> None:
        self._yard, self._batch = yard, batch
        limits = yard.settings
        self._splitter = Splitter(
            Limits(limits.max_requests_per_shard, limits.max_bytes_per_shard, limits.max_embedding_inputs_per_shard)
        )
        self._longest = min(LONGEST_LINE, limits.max_bytes_per_shard)
        self._digest = hashlib.sha256()
        self._seen: set[str] = set()
        self._lines = 0
        self._models: set[str] = set()
        self._first: str | None = None
        self.errors: list[LineError] = []
        self.errors_total = 0

    def run(self) -> None:
        for found in scan(self._chunks(self._batch.input), self._longest):
            self._take(found)
        for shard in self._splitter.rest():
            self._write(shard)
        if not self._lines and not self.errors_total:
            message = "The input has no requests. Write one JSON request object per line."
            self._complain(LineError("empty_file", message))

    def gone(self) -> None:
        message = f"The input {self._batch.input.uri} was deleted, replaced or cannot be read. Upload it again."
        self._complain(LineError("invalid_request", message, "file_id"))

    def summary(self) -> Summary:
        model = self._models.pop() if len(self._models) == 1 else None
        return Summary(self._lines, self._splitter.shards, self._digest.hexdigest(), self._first, model)

    def _chunks(self, source: InputObject) -> Iterator[bytes]:
        for chunk in self._yard.objects.chunks(source):
            self._digest.update(chunk)
            yield chunk

    def _take(self, found: Found) -> None:
        line = self._parsed(found)
        if isinstance(line, LineError):
            self._complain(line, found.number)
            return
        self._first = self._first or line.url
        self._models.add(line.body.model)
        closed = self._splitter.add(self._lines, found, line)
        self._lines += 1
        if closed is not None:
            self._write(closed)

    def _parsed(self, found: Found) -> lines.Line | LineError:
        if found.text is None:
            return lines.too_long(found.size, self._longest)
        try:
            line = lines.parse(found.text)
        except (ValueError, RecursionError):
            return lines.diagnose(found.text)
        if line.custom_id in self._seen:
            return lines.duplicate(line.custom_id)
        self._seen.add(line.custom_id)
        return lines.refuse(line, self._batch.endpoint) or line

    def _complain(self, error: LineError, number: int | None = None) -> None:
        self.errors_total += 1
        if len(self.errors) < SHOWN_ERRORS:
            self.errors.append(msgspec.structs.replace(error, line=number))

    def _write(self, shard: ShardLines) -> None:
        if not self.errors_total:
            self._yard.objects.put(keys.shard_lines(self._batch.batch_id, shard.shard), shard.pack())
