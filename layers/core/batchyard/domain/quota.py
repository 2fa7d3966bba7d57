"""How many bytes a tenant stores: a running sum, and when the sum is made anew from the records."""

from typing import Final

import msgspec

from batchyard.domain.durations import DAY, HOUR

# Seconds without a change. After these, no call is under way that has counted its bytes but not recorded its file.
QUIET: Final = 120


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The record `STORED#<tenant>` / `BYTES`. Times are Unix seconds."""

    tenant: str
    bytes: int = 0
    changed_at: int = 0
    #: When the sweep last made the sum anew; 0 if it never did.
    counted_at: int = 0

    def due(self, now: int) -> bool:
        """Tell whether the sum is to be made anew: every hour if it is quiet, and every day in any case."""
        age = now - self.counted_at
        return age >= DAY or (age >= HOUR and now - self.changed_at >= QUIET)
