"""The quotas of a tenant: open batches, and bytes of files."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from batchyard.domain.errors import ApiError, BatchyardError
from batchyard.services import Services


def check_open_batches(services: Services, tenant: str, *batch_ids: str) -> None:
    """Raise ApiError 429 if the tenant has all the open batches it may have, unless one of `batch_ids` is recorded.

    The batches of uploads to the inbox count, but are never refused. Two requests at the same time may both pass.
    """
    most = services.settings.max_open_batches
    if (
        not most
        or services.batch_store.open_batches(tenant, most) < most
        or any(map(services.batch_store.find_batch, batch_ids))
    ):
        return
    message = f"You have {most} open batches, the most there may be. Wait until one has ended, or cancel one."
    raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, message, code="open_batches_limit_exceeded")


@contextmanager
def room_for(services: Services, tenant: str, size: int) -> Iterator[None]:
    """Count the bytes of a file that the block records; raises ApiError 403 if the tenant may not store so many more.

    The sum misses files that expire and functions that die. The sweep corrects it; see `storage_audit`.
    """
    quotas = services.quota_store
    if not quotas.add(tenant, size, services.now()):
        known = f"Your files have {quotas.read(tenant).bytes} bytes of {quotas.most_bytes}"
        message = f"{known}; {size} more do not fit. Delete what you no longer need."
        raise ApiError(HTTPStatus.FORBIDDEN, message, code="storage_limit_exceeded")
    try:
        yield
    except BatchyardError:
        quotas.give_back(tenant, size, services.now())
        raise
