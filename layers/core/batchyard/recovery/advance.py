"""Do what is due for a shard now, rather than when its execution wakes: the provider or the operator has told us to look."""

import math
from collections.abc import Callable
from typing import Final

from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import is_drained
from batchyard.observability import logger
from batchyard.results.assemble import assemble
from batchyard.services import Services
from batchyard.shards.collect import collect
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit

STEPS: Final[dict[str, Callable[[Services, Step], Step]]] = {"submit": submit, "poll": poll, "collect": collect}
MOST_STEPS: Final = 10


def advance(
    services: Services, batch_id: str, shard: int | None, seconds_left: Callable[[], float] = lambda: math.inf
) -> str:
    """Play the shard's steps up to the first that waits, and put the batch together if it was the last; answers what is next.

    Without a shard, the batch is put together if none is left. The shard's own execution sleeps on, and finds at its next
    turn what was done: each step may run twice, here and there. When `seconds_left` runs low, the rest of the results is
    left to the batch's own execution.
    """
    following = "done" if shard is None else _played(services, batch_id, shard)
    logger.info("advanced", next=following)
    if following == "done" and _all_done(services, batch_id):
        return assemble(services, batch_id, seconds_left)
    return following


def _played(services: Services, batch_id: str, shard: int) -> str:
    step = Step(batch_id, shard, Next.POLL)
    for _ in range(MOST_STEPS):
        step = STEPS[step.next](services, step)
        if step.next not in STEPS or step.wait_seconds:
            break
    return step.next


def _all_done(services: Services, batch_id: str) -> bool:
    """Tell whether every shard is done; of a batch that is given up, those that were never begun are not waited for."""
    batch = services.batch_store.batch(batch_id)
    done = [shard.done for shard in services.batch_store.shards(batch_id)]
    return is_drained(batch, services.now()) or (
        all(done) and (batch.drain_reason is not None or len(done) == batch.shards)
    )
