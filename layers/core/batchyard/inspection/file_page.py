"""The files of an ended gathered batch, a page at a time, and where the results of one of them lie."""

from http import HTTPStatus
from typing import Any, Final

import msgspec

from batchyard.domain import object_keys, statuses
from batchyard.domain.batch import Batch, InputObject
from batchyard.domain.errors import ApiError, NotFound
from batchyard.lines.file_entries import FileIndex, read_entries, read_index
from batchyard.services import Services

LIMITS: Final = (20, 1_000)  # files of a page: usually, and at most
MOST_BYTES: Final = 2_500_000  # of a page; as text in JSON they may be twice as long, and Lambda answers 6 MB


def file_page(services: Services, batch: Batch, after: int, limit: int) -> dict[str, Any]:
    """List files behind the number `after`, as the report shows them; raises ApiError 404 where there is no list."""
    index = _index(services, batch)
    data, size = list[Any](), 0
    for entry in _read(services, batch, index, after, limit):
        size += len(entry)
        if data and size > MOST_BYTES:
            break
        data.append(msgspec.json.decode(entry))
    more = bool(limit) and after + len(data) < index.files
    return {"object": "list", "data": data, "has_more": more, "files_total": index.files}


def result_of_file(services: Services, batch: Batch, number: int, name: str) -> InputObject:
    """Find a result of the file with this number, from 1; raises ApiError 404 where there is none."""
    index = _index(services, batch)
    if not 1 <= number <= index.files:
        raise _none(f"The batch '{batch.batch_id}' has no file {number}: its files are 1 to {index.files}.")
    (entry,) = _read(services, batch, index, number - 1, 1)
    if batch.dry_run:
        raise _none(f"The batch '{batch.batch_id}' was a dry run: its files have no results.")
    file = msgspec.json.decode(entry)["file"]
    if (reason := object_keys.why_without_results(batch.tenant, batch.batch_id, file)) is not None:
        raise _none(f"The file {number} of the batch '{batch.batch_id}' has no results. {reason}")
    key = object_keys.result_of_file(batch.tenant, batch.batch_id, file, name)
    if _expired(services, batch):
        raise _gone(batch)
    try:
        return services.bucket.head(key)[0]
    except NotFound as error:
        raise _gone(batch) from error


def _read(services: Services, batch: Batch, index: FileIndex, first: int, count: int) -> list[bytes]:
    try:
        return read_entries(services.bucket, batch, index, first, count)
    except NotFound as error:
        raise _gone(batch) from error


def _index(services: Services, batch: Batch) -> FileIndex:
    if not batch.gathered:
        message = "is of one input, and has no files of its own. Its results are 'output_file_id' and 'error_file_id'."
        raise _none(f"The batch '{batch.batch_id}' {message}")
    if not batch.ended:
        raise _none(f"The files of the batch '{batch.batch_id}' are not listed yet: they are when the batch ends.")
    if batch.status == statuses.FAILED and batch.in_progress_at is None:
        again = "gather the folder again" if batch.void else f"retry the batch '{batch.retry_of}' again"
        message = f"was refused, so its files have no results. Correct what its 'errors' name, and {again}."
        raise _none(f"The batch '{batch.batch_id}' {message}")
    try:
        return read_index(services.bucket, batch)
    except NotFound as error:
        raise _gone(batch) from error


def _expired(services: Services, batch: Batch) -> bool:
    """Tell whether the results are older than their user wished them to be: S3 removes them some hours later."""
    ended = batch.completed_at or batch.cancelled_at or batch.failed_at or services.now()
    life = batch.output_expires_after["seconds"] if batch.output_expires_after else None
    return life is not None and services.now() >= ended + life


def _none(message: str) -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, message)


def _gone(batch: Batch) -> ApiError:
    return _none(f"The results of the files of '{batch.batch_id}' are gone: deleted, or expired.")
