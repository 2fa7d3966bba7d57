"""What a tenant may see, and how much it may have.

A tenant sees its own records only, and cannot learn whether another tenant has a record.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Protocol, TypeVar

from batchyard.domain.batch import Batch
from batchyard.domain.errors import ApiError, BatchyardError, NotFound
from batchyard.planning import new_batch
from batchyard.services import Services


class OfTenant(Protocol):
    """A record that belongs to a tenant."""

    @property
    def tenant(self) -> str:
        """Return the owner."""
        ...


T = TypeVar("T", bound=OfTenant)


def own(tenant: str, wanted: str, ids: str, read: Callable[[str], T], unknown: Callable[[str], ApiError]) -> T:
    """Read the record of the id `wanted`; raises the error that `unknown` makes if the tenant has no such record.

    An id that does not match the pattern `ids` is not read, because not every text can be a key of the table.
    """
    if not re.fullmatch(ids, wanted):
        raise unknown(wanted)
    try:
        found = read(wanted)
    except NotFound as error:
        raise unknown(wanted) from error
    if found.tenant != tenant:
        raise unknown(wanted)
    return found


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


def check_budget(services: Services, batch: Batch, *known: str) -> None:
    """Raise ApiError 402 if the tenant's budget of this month is spent, unless the batch is made already."""
    error = new_batch.why_unaffordable(services, batch, *known)
    if error is not None:
        raise ApiError(HTTPStatus.PAYMENT_REQUIRED, error.message, code="insufficient_quota")


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
