"""Continue a shard in a fresh execution, before the history of the one that works on it is full.

A Standard execution ends at 25,000 events. A turn (a step, Wait, Next?) takes 9, each retry of a step 3 more. So after
`MOST_TURNS` turns the execution ends well with its shard marked, and Assemble has the Distributed Map run again: its steps
go on from the record, and a shard that is done ends at once.
"""

from typing import TYPE_CHECKING, Final

from batchyard.domain.shard import Shard, change
from batchyard.domain.step import Next, Step
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import token_room

if TYPE_CHECKING:
    from batchyard.shards.turn import Turn

MOST_TURNS: Final = 2_000
# A provider batch holds tokens that other shards may wait for, and a marked shard waits for those: so the execution of a
# shard that is at the provider goes on for as long as the provider takes to end the batch.
MOST_BUSY_TURNS: Final = 2_200


def turns_used_up(shard: Shard, step: Step) -> bool:
    """Tell whether this execution has had its turns."""
    busy = shard.attempt is not None and shard.attempt.creating_at is not None
    return step.turns >= (MOST_BUSY_TURNS if busy else MOST_TURNS)


def continue_as_new(turn: "Turn") -> Step:
    """End this execution and mark the shard, so that a fresh one goes on with it; release tokens that are not used."""
    shard = turn.shard
    if shard.attempt is not None and shard.attempt.creating_at is None:
        token_room.release(turn.services, shard, ended=False)
    logger.info("continuing as new", batch_id=shard.batch_id, shard=shard.shard, turns=turn.step.turns)
    turn.save(change(shard, continues=True))
    return turn.then(Next.CONTINUE)


def clear_continues(turn: "Turn") -> None:
    """Clear `continues`: this is the fresh execution. If it dies, the sweep restarts it."""
    if turn.shard.continues:
        turn.save(change(turn.shard, continues=False))


def any_continues(services: Services, batch_id: str) -> bool:
    """Tell whether a shard of the batch waits for a fresh execution; a draining batch has none."""
    if services.batch_store.batch(batch_id).drain_reason is not None:
        return False
    return any(shard.continues and not shard.done for shard in services.batch_store.shards(batch_id))
