"""What one tenant may have at once: open batches, and bytes of files."""

from http import HTTPStatus

from batchyard.errors import ApiError
from batchyard.yard import Yard


def check_open_batches(yard: Yard, tenant: str, *batch_ids: str) -> None:
    """Raise ApiError 429 if the tenant has as many open batches as it may; not for a batch that is recorded already.

    Batches that uploads to the inbox made are counted, but never refused. Calls at the very same time may each find room.
    """
    most = yard.settings.max_open_batches
    if not most or yard.records.open_batches(tenant, most) < most or any(map(yard.records.find_batch, batch_ids)):
        return
    message = f"You have {most} open batches, the most there may be. Wait until one has ended, or cancel one."
    raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, message, code="open_batches_limit_exceeded")


def check_stored_bytes(yard: Yard, tenant: str, size: int) -> None:
    """Raise ApiError 403 if a file of this size would be more than the tenant may store.

    Where there is a limit the records are summed each time, a query of 1 MB for some 2,000 files: a running sum would not
    notice files that expire.
    """
    most = yard.settings.max_stored_bytes
    if not most:
        return
    stored = sum(file.bytes for file in yard.file_records.files(tenant, yard.now(), None, None, newest_first=True))
    if stored + size <= most:
        return
    message = f"Your files have {stored} bytes of {most}; {size} more do not fit. Delete what you no longer need."
    raise ApiError(HTTPStatus.FORBIDDEN, message, code="storage_limit_exceeded")
