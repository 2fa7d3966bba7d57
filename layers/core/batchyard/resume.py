"""Have a paused batch tried again at once, for an operator who has mended what it waits for."""

import msgspec

from batchyard.shard import Step
from batchyard.yard import Yard


def resume(yard: Yard, batch_id: str) -> int:
    """Ask for the next step of every shard that waits, and return how many were asked for.

    The shard's own execution sleeps on, finds at its next turn what was done, and goes on from there: any step may run twice.
    """
    asked = 0
    for shard in yard.records.shards(batch_id):
        if shard.paused and not shard.done:
            sent = shard.attempt is not None and shard.attempt.provider_batch_id is not None
            function = yard.poll_function if sent else yard.submit_function
            step = Step(batch_id, shard.shard, "poll" if sent else "submit")
            function.invoke(msgspec.to_builtins(step))
            asked += 1
    return asked
