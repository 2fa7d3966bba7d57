"""Have a paused batch tried again at once, for an operator who has mended what it waits for."""

from batchyard.services import Services


def resume(services: Services, batch_id: str) -> int:
    """Have what is due done for every shard that waits, and return how many those are."""
    waiting = [shard.shard for shard in services.records.shards(batch_id) if shard.paused and not shard.done]
    for number in waiting:
        services.advance_function.invoke({"batch_id": batch_id, "shard": number})
    return len(waiting)
