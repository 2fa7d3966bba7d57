"""What a tenant has stored: a running sum, and when it has to be summed up anew from the records."""

from typing import Final

import msgspec

from batchyard.domain.durations import DAY, HOUR

# Seconds without a change after which no call is under way any more that has counted its bytes and not recorded its file.
QUIET: Final = 120


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The record `STORED#<tenant>` / `BYTES`. `counted_at` is when the sweep last summed it up, 0 before it first did."""

    tenant: str
    bytes: int = 0
    changed_at: int = 0
    counted_at: int = 0

    def due(self, now: int) -> bool:
        """Tell whether to sum it up anew: each hour that it is quiet, and each day at any rate."""
        age = now - self.counted_at
        return age >= DAY or (age >= HOUR and now - self.changed_at >= QUIET)
