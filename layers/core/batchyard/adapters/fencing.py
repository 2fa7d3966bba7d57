"""Keep what a worker writes of an attempt apart from what another, that it overtook or that overtakes it, writes."""

from batchyard.domain.shard import Shard
from batchyard.services import Yard


def fence(yard: Yard, shard: Shard) -> Shard:
    """Save a shard as it is, for a version, and so an `attempt_place`, that no other worker has; raises StaleRecord."""
    return yard.records.save_shard(shard, shard)
