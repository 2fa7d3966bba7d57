"""Have a paused batch tried again at once, for an operator who has mended what it waits for."""

from batchyard.services import Yard


def resume(yard: Yard, batch_id: str) -> int:
    """Have what is due done for every shard that waits, and return how many those are."""
    waiting = [shard.shard for shard in yard.records.shards(batch_id) if shard.paused and not shard.done]
    for number in waiting:
        yard.advance_function.invoke({"batch_id": batch_id, "shard": number})
    return len(waiting)
