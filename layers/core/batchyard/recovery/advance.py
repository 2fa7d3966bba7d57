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

STEPS: Final[dict[str, Callable[[Services, Step], Step]]] = {"submit": submit, "poll": poll, "collect": collect}
MOST_STEPS: Final = 10  # of one call
LONGEST_ID: Final = 2_000  # bytes, as in the client; a key of the table holds little more


def advance_named(
    services: Services, event: Mapping[str, Any], seconds_left: Callable[[], float] = lambda: math.inf
) -> dict[str, Any]:
    """Advance what an event names: `{"batch_id", "shard"}`, or a job of Amazon Bedrock; answer with `next`.

    An event of Bedrock is a hint: it may come late, twice, never, or before the job is recorded, and what became of the job
    is read from the service itself. One about nothing of ours does nothing.
    """
    named = _named_by(services, event)
    if named is None:
        logger.info("event about nothing of ours")
        return {"next": "nothing"}
    logger.append_keys(**named)
    return {**named, "next": advance(services, **named, seconds_left=seconds_left)}


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


def _named_by(services: Services, event: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the batch and the shard of an event; None if it tells of a provider batch that is not recorded."""
    if "batch_id" in event:
        return {"batch_id": event["batch_id"], "shard": event["shard"]}
    detail = event.get("detail")
    arn = detail.get("batchJobArn") if isinstance(detail, dict) else None
    job = arn.rpartition("/")[2] if isinstance(arn, str) else ""
    readable = 0 < len(job.encode("utf-8", "replace")) <= LONGEST_ID
    found = [services.batch_store.linked(name, job) for name in services.accounts] if readable else []
    owner = next(filter(None, found), None)
    return None if owner is None else owner._asdict()


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
