"""Keep what a worker writes of an attempt apart from what another, that it overtook or that overtakes it, writes."""

from batchyard.domain.shard import Shard
from batchyard.services import Services


def fence(services: Services, shard: Shard) -> Shard:
    """Save a shard as it is, for a version, and so an `attempt_place`, that no other worker has; raises StaleRecord."""
    return services.records.save_shard(shard, shard)
