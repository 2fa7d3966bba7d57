"""Play the next steps of a shard at once: the provider's webhook or event, a resume or the sweep asks for it."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import is_drained
from batchyard.observability import logger
from batchyard.results.assemble import assemble
from batchyard.services import Services
from batchyard.shards.collect import collect
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from batchyard.webhooks.owners import job_named, owners_of

STEPS: Final[dict[str, Callable[[Services, Step], Step]]] = {"submit": submit, "poll": poll, "collect": collect}
MOST_STEPS: Final = 10  # of one call


def advance_named(
    services: Services, event: Mapping[str, Any], seconds_left: Callable[[], float] = lambda: math.inf
) -> dict[str, Any]:
    """Advance what an event names: `{"batch_id", "shard"}`, or a job of Amazon Bedrock; answer with `next`, of the last shard.

    An event of Bedrock is a hint: it may come late, twice, never, or before the job is recorded, and what became of the job
    is read from the service itself. One about nothing of ours does nothing.
    """
    if "batch_id" in event:
        named = [{"batch_id": event["batch_id"], "shard": event["shard"]}]
    else:
        named = [owner._asdict() for owner in owners_of(services, job_named(event))]
    answer: dict[str, Any] = {"next": "nothing"}
    for each in named:
        logger.append_keys(**each)
        answer = {**each, "next": advance(services, **each, seconds_left=seconds_left)}
    if not named:
        logger.info("event about nothing of ours")
    return answer


def advance(
    services: Services, batch_id: str, shard: int | None, seconds_left: Callable[[], float] = lambda: math.inf
) -> str:
    """Play the steps of a shard up to the first that waits, then assemble the results if all shards are done; answer `next`.

    The execution of the shard goes on beside this: each step may run twice. With None for a shard, only the results are
    assembled. If `seconds_left` runs low, the execution of the batch assembles the rest.
    """
    following = "done" if shard is None else _play(services, batch_id, shard)
    logger.info("advanced", next=following)
    if following == "done" and _all_done(services, batch_id):
        return assemble(services, batch_id, seconds_left)
    return following


def _play(services: Services, batch_id: str, shard: int) -> str:
    step = Step(batch_id, shard, Next.POLL)
    for _ in range(MOST_STEPS):
        step = STEPS[step.next](services, step)
        if step.next not in STEPS or step.wait_seconds:
            break
    return step.next


def _all_done(services: Services, batch_id: str) -> bool:
    """Tell whether every shard is done; a draining batch does not wait for shards that were never begun."""
    batch = services.batch_store.batch(batch_id)
    done = [shard.done for shard in services.batch_store.shards(batch_id)]
    return is_drained(batch, services.now()) or (
        all(done) and (batch.drain_reason is not None or len(done) == batch.shards)
    )
