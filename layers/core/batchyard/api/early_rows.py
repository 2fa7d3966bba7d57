"""Rows of the results while a batch runs: in input order, as far as they are complete."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final, NamedTuple

from msgspec.structs import replace

from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.errors import ApiError, NotFound, invalid_request
from batchyard.domain.numbers import whole
from batchyard.gateway.content import Content, pack
from batchyard.gateway.paging import page_limit
from batchyard.gateway.response import Response, inline_or_elsewhere
from batchyard.inspection.answer_runs import AnswerRuns
from batchyard.lines.rows import rows
from batchyard.lines.runs import Run
from batchyard.planning.summary import Summary, read_summary
from batchyard.services import Services

LIMITS: Final = (1_000, 10_000)  # rows of an answer: usually, and at most
JSON_LINES: Final = "application/jsonl"
FILENAME: Final = "rows.jsonl"
MOST_BYTES: Final = 4_000_000  # of an answer


class EarlyRows(NamedTuple):
    """Rows of a batch, and how a client goes on."""

    data: bytes
    #: How many rows there are up to the last of these: the `after` of the next request.
    after: int
    #: Whether no row will ever follow.
    complete: bool

    def response(self, *, packed: bool) -> Response:
        """Make the answer, as gzip if `packed`."""
        data = pack(self.data) if packed else self.data
        sent = inline_or_elsewhere(Content(filename=FILENAME, data=data, packed=packed), JSON_LINES)
        read = {"batchyard-after": str(self.after), "batchyard-complete": str(self.complete).lower()}
        return replace(sent, headers={**sent.headers, **read})


def early_rows(services: Services, batch: Batch, after: str | None, limit: str | None) -> EarlyRows:
    """Read the rows behind the first `after` ones; raises ApiError 400, 410 if they are gone, 422 if one is too large."""
    first, count = _after(after), page_limit(limit, *LIMITS)
    summary = _summary(services, batch)
    if summary is None or first >= summary.lines or not count:
        return EarlyRows(b"", first, batch.ended and (summary is None or first >= summary.lines))
    if batch.ended:
        _check_kept(services, batch)
    found = rows(services.bucket, _runs(services, batch, summary, first, first + count - 1), first, count, MOST_BYTES)
    if not found.lines and found.too_large:
        raise _too_large(first, found.too_large)
    if not found.lines and batch.ended and _has_results(batch):
        raise _gone(batch)
    after_these = first + len(found.lines)
    return EarlyRows(
        b"".join(found.lines), after_these, batch.ended and (after_these == summary.lines or not found.lines)
    )


def _after(text: str | None) -> int:
    number = whole(text) if text else 0
    if number is None or number < 0:
        message = f"after must be a number of rows, 0 or more, not '{(text or '')[:20]}'."
        raise invalid_request(BatchError("invalid_value", message, "after"))
    return number


def _summary(services: Services, batch: Batch) -> Summary | None:
    """Read what the plan found, None of a batch without rows so far; raises ApiError 410 if it is gone.

    A batch that is cancelled before its plan has ended was never in progress, but gets its results.
    """
    if batch.dry_run or (batch.in_progress_at is None and not _has_results(batch)):
        return None
    try:
        return read_summary(services, batch.batch_id)
    except NotFound as error:
        raise _gone(batch) from error


def _has_results(batch: Batch) -> bool:
    return bool(batch.output_file_id or batch.error_file_id)


def _check_kept(services: Services, batch: Batch) -> None:
    """Raise ApiError 410 if a result of the batch was deleted or has expired: its rows are not shown then."""
    for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
        try:
            kept = services.file_store.file(file_id).there(services.now())
        except NotFound:
            kept = False
        if not kept:
            raise _gone(batch)


def _runs(services: Services, batch: Batch, summary: Summary, first: int, last: int) -> Iterator[Run]:
    """Yield the runs that may have a row from position `first` to `last`."""
    yield from _planned_runs(services, batch, summary, first, last)
    runs, begun = AnswerRuns(services.bucket, batch), set()
    for shard in services.batch_store.shards(batch.batch_id):
        begun.add(shard.shard)
        if shard.first <= last and shard.last >= first:
            yield from runs.output(shard)
            yield from runs.errors(shard)
    yield from runs.never_begun(begun, first, last)


def _planned_runs(services: Services, batch: Batch, summary: Summary, first: int, last: int) -> Iterator[Run]:
    """Yield the runs of lines that are skipped or taken over."""
    for begin, count in summary.skipped_runs:
        if begin <= last:
            yield Run(services.bucket, object_keys.skipped(batch.batch_id, begin, count))
    for taken in summary.taken_runs:
        if taken.first <= last and taken.last >= first:
            yield Run(services.bucket, object_keys.taken_over(batch.batch_id, taken.first, taken.count))


def _too_large(first: int, size: int) -> ApiError:
    message = (
        f"The row behind the first {first:,} has {size:,} bytes, more than an answer holds ({MOST_BYTES:,}). Take it "
        f"from the files of the batch when it has ended, and go on with after={first + 1}."
    )
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, message, code="row_too_large", param="after")


def _gone(batch: Batch) -> ApiError:
    message = (
        f"The rows of '{batch.batch_id}' are gone. They are kept for some days after the batch has ended, and no longer "
        "than its files: read output_file_id and error_file_id."
    )
    return ApiError(HTTPStatus.GONE, message, code="rows_gone")
