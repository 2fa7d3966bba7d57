"""What a tenant names by its id: its own, or nothing; whether another tenant has such a thing, nobody learns."""

import re
from collections.abc import Callable
from typing import Protocol, TypeVar

from batchyard.domain.errors import ApiError, NotFound


class OfTenant(Protocol):
    """A record that belongs to somebody."""

    @property
    def tenant(self) -> str:
        """Name the owner."""
        ...


T = TypeVar("T", bound=OfTenant)


def own(
    tenant: str, wanted: str, ids: re.Pattern[str], read: Callable[[str], T], unknown: Callable[[str], ApiError]
) -> T:
    """Read the tenant's record of this id; raises what `unknown` makes for any that is not there or not the tenant's.

    What does not look like one of the `ids` is not read, for not every text is a key that the table could hold.
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
