"""A tenant sees its own records only, and cannot learn whether another tenant has a record."""

import re
from collections.abc import Callable
from typing import Protocol, TypeVar

from batchyard.domain.errors import ApiError, NotFound


class OfTenant(Protocol):
    """A record that belongs to a tenant."""

    @property
    def tenant(self) -> str:
        """Return the owner."""
        ...


T = TypeVar("T", bound=OfTenant)


def own(
    tenant: str, wanted: str, ids: re.Pattern[str], read: Callable[[str], T], unknown: Callable[[str], ApiError]
) -> T:
    """Read the record of the id `wanted`; raises the error that `unknown` makes if the tenant has no such record.

    An id that does not match `ids` is not read, because not every text can be a key of the table.
    """
    if not ids.fullmatch(wanted):
        raise unknown(wanted)
    try:
        found = read(wanted)
    except NotFound as error:
        raise unknown(wanted) from error
    if found.tenant != tenant:
        raise unknown(wanted)
    return found
