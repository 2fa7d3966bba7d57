"""What the sweep sees on its way, as metrics: open batches and their age, shards by state, and how full quotas are.

Nothing is read for it. A way that takes several runs is summed up in the sweep's bookmarks, and told at its end. What is
nought is not told: a stack that does nothing pays for no metric.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from batchyard.domain.batch import Batch
from batchyard.domain.numbers import HOUR
from batchyard.domain.token_ledger import Reservation
from batchyard.observability import publish
from batchyard.services import Services

MOST_TENANTS: Final = 100  # whose open batches are counted from one run to the next: those with the most


class BatchCensus(msgspec.Struct):
    """The batches that have not ended."""

    open: int = 0
    paused: int = 0
    #: When the oldest was made, in Unix seconds; 0 for none.
    oldest: int = 0
    #: Open batches by tenant.
    tenants: dict[str, int] = {}

    def see(self, batch: Batch) -> None:
        """Count a batch, unless it has ended."""
        if batch.ended:
            return
        self.open += 1
        self.paused += bool(batch.paused)
        self.oldest = min(self.oldest or batch.created_at, batch.created_at)
        self.tenants[batch.tenant] = self.tenants.get(batch.tenant, 0) + 1

    def kept(self) -> dict[str, Any]:
        """Return what the next run goes on with."""
        most = dict(Counter(self.tenants).most_common(MOST_TENANTS))
        return {"open": self.open, "paused": self.paused, "oldest": self.oldest, "tenants": most}

    def tell(self, services: Services) -> None:
        """Publish what was counted."""
        if not self.open:
            return
        age = (services.now() - self.oldest) / HOUR
        _publish({"OpenBatches": self.open, "PausedBatches": self.paused, "OldestBatchHours": age})
        tell_fullest(services.settings.max_open_batches, self.tenants.values(), "open_batches")


class ShardCensus(msgspec.Struct):
    """The shards that the token ledgers know: each reservation is one's."""

    waiting: int = 0
    sent: int = 0
    at_provider: int = 0
    #: The greatest share of a known limit that is enqueued of a model, in percent.
    fullest: int = 0

    def see(self, reservations: Iterable[Reservation], enqueued: int, limit: int | None) -> None:
        """Count the shards of one ledger."""
        for each in reservations:
            self.at_provider += each.confirmed
            self.sent += bool(each.tokens) and not each.confirmed
            self.waiting += not each.tokens
        if limit:
            self.fullest = max(self.fullest, 100 * enqueued // limit)

    def tell(self) -> None:
        """Publish what was counted."""
        for state in ("waiting", "sent", "at_provider"):
            _publish({"Shards": getattr(self, state)}, state=state)
        _publish({"QuotaUse": self.fullest}, quota="enqueued_tokens")


def tell_fullest(limit: int, used: Iterable[int], quota: str) -> None:
    """Publish how full a quota is for the tenant that uses the most of it; nothing where there is no limit."""
    if limit:
        _publish({"QuotaUse": 100 * max(used, default=0) / limit}, quota=quota)


def _publish(values: dict[str, float], **dimensions: str) -> None:
    publish({name: value for name, value in values.items() if value}, **dimensions)
