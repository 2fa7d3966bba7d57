"""Hand a shard over to a fresh execution, before the history of the one that works on it is full.

A Standard execution ends at 25,000 events. A turn (a step, Wait, Next?) takes 9, each retry of a step 3 more. So after
`MOST_TURNS` turns the execution ends well with its shard marked, and Assemble has the Distributed Map run again: its steps
go on from the record, and a shard that is done ends at once.
"""

from typing import Final

from batchyard.log import logger
from batchyard.shard import Shard, Step, change
from batchyard.yard import Yard

MOST_TURNS: Final = 2_000


def must_relay(step: Step) -> bool:
    """Tell whether this execution has had its turns."""
    return step.turns >= MOST_TURNS


def relay(yard: Yard, shard: Shard, step: Step) -> Step:
    """End this execution and mark the shard, so that another goes on with it."""
    logger.info("handing over to another execution", batch_id=shard.batch_id, shard=shard.shard, turns=step.turns)
    yard.records.save_shard(shard, change(shard, relayed=True))
    return step.then("relay")


def take_over(yard: Yard, shard: Shard) -> Shard:
    """Take the mark off a shard that was handed over: if this execution dies, nobody is to wait for another."""
    return yard.records.save_shard(shard, change(shard, relayed=False)) if shard.relayed else shard


def any_relayed(yard: Yard, batch_id: str) -> bool:
    """Tell whether a shard of the batch waits for another execution."""
    return any(shard.relayed and not shard.done for shard in yard.records.shards(batch_id))
