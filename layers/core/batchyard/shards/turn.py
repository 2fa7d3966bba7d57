"""One step of a shard."""

from batchyard.domain.batch import Batch
from batchyard.domain.shard import (
    Shard,
)
from batchyard.lines.shard_lines import ShardLines, new_shard
from batchyard.services import Services


def open_shard(services: Services, batch: Batch, number: int) -> Shard:
    """Record a shard of which nothing was sent yet."""
    return services.batch_store.save_shard(
        None, new_shard(batch, ShardLines.read(services.bucket, batch.batch_id, number))
    )
