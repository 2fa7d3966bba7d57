"""Hand a shard over to a fresh execution, before the history of the one that works on it is full.

A Standard execution ends at 25,000 events. A turn (a step, Wait, Next?) takes 9, each retry of a step 3 more. So after
`MOST_TURNS` turns the execution ends well with its shard marked, and Assemble has the Distributed Map run again: its steps
go on from the record, and a shard that is done ends at once.
"""

from typing import Final

from batchyard.domain.shard import Shard, Step, change
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import token_room

MOST_TURNS: Final = 2_000
# What is at the provider holds room that the shards beside it may wait for, and a shard that is handed over waits for those:
# so it goes on for as long as the provider takes to end it.
MOST_BUSY_TURNS: Final = 2_200


def turns_used_up(shard: Shard, step: Step) -> bool:
    """Tell whether this execution has had its turns."""
    busy = shard.attempt is not None and shard.attempt.creating_at is not None
    return step.turns >= (MOST_BUSY_TURNS if busy else MOST_TURNS)


def continue_as_new(services: Services, shard: Shard, step: Step) -> Step:
    """End this execution and mark the shard, so that another goes on with it; room that is not used is given back."""
    if shard.attempt is not None and shard.attempt.creating_at is None:
        token_room.release(services, shard, ended=False)
    logger.info("handing over to another execution", batch_id=shard.batch_id, shard=shard.shard, turns=step.turns)
    services.batch_store.save_shard(shard, change(shard, continues=True))
    return step.then("continue")


def clear_continues(services: Services, shard: Shard) -> Shard:
    """Take the mark off a shard that was handed over: if this execution dies, nobody is to wait for another."""
    return services.batch_store.save_shard(shard, change(shard, continues=False)) if shard.continues else shard


def any_continues(services: Services, batch_id: str) -> bool:
    """Tell whether a shard of the batch waits for another execution, of which one that is given up has none."""
    if services.batch_store.batch(batch_id).drain_reason is not None:
        return False
    return any(shard.continues and not shard.done for shard in services.batch_store.shards(batch_id))
