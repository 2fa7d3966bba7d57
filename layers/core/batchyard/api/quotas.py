"""What one tenant may have at once: open batches, and bytes of files."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from batchyard.domain.errors import ApiError, BatchyardError
from batchyard.services import Services


def check_open_batches(services: Services, tenant: str, *batch_ids: str) -> None:
    """Raise ApiError 429 if the tenant has as many open batches as it may; not for a batch that is recorded already.

    Batches that uploads to the inbox made are counted, but never refused. Calls at the very same time may each find room.
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
    """Count the bytes of a file while it is recorded; raises ApiError 403 if they are more than the tenant may store.

    The sum is kept as it changes. What it misses (files that expire, functions that die) the sweep corrects; see `storage`.
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
