"""Room to create a provider batch, before `submit` does: so many in an hour, and so many at once.

A worker holds one of the slots while it uploads and creates. The rest of Lambda's concurrency is then for the other steps,
and for the HTTP API.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from batchyard.domain import create_limits
from batchyard.domain.create_limits import Creations
from batchyard.domain.pacing import room_wait
from batchyard.observability import logger
from batchyard.shards.turn import Turn

FLOOR: Final = 5  # seconds; most slots are held for a few seconds only
TRIES: Final = 5  # to count a creation that others count at the same time


def count_create(turn: Turn) -> int:
    """Count a creation in the provider's hour; answer the seconds to wait when there may be no more."""
    services, tenant = turn.services, turn.batch.tenant
    account, since = turn.account, turn.attempt.started_at
    most, store = account.entry.max_creates_per_hour, account.creations
    for _ in range(TRIES if most else 0):
        seen = store.creations()
        counted = create_limits.one_more(seen, most, tenant, since, services.now())
        if isinstance(counted, int):
            _note_wait(turn, seen)
            logger.info("no more creations this hour", provider=store.provider, tenant=tenant, seconds=counted)
            turn.save_wait(f"{store.provider} takes {most:,} provider batches an hour, and this hour's are created.")
            return min(counted, services.settings.retry_ceiling_seconds)
        if store.save_creations(seen, counted):
            return 0
    return _look_again(turn, services.settings.retry_floor_seconds) if most else 0


@contextmanager
def slot(turn: Turn) -> Iterator[int]:
    """Hold a slot; yield 0, or the seconds to wait when none is free."""
    services, attempt = turn.services, turn.attempt
    most, store = turn.account.entry.max_concurrent_submits, turn.account.creations
    if not most:
        yield 0
        return
    name = create_limits.slot(turn.shard.attempt_key, services.now())
    if not _take(turn, name, create_limits.allowed(most, attempt.started_at, services.now())):
        logger.info("no slot to submit", provider=store.provider, batch_id=turn.shard.batch_id, shard=turn.shard.shard)
        turn.save_wait(f"As many shards are being submitted as MaxConcurrentSubmits allows, {most:,}.")
        yield _look_again(turn, FLOOR)
        return
    try:
        yield 0
    finally:
        store.drop_slots([name])


def _take(turn: Turn, name: str, most: int) -> bool:
    """Take a slot, if need be after those of workers that died were given back."""
    store = turn.account.creations
    if store.take_slot(name, most):
        return True
    over = [held for held in store.slots() if create_limits.is_over(held, turn.services.now())]
    if not over:
        return False
    store.drop_slots(over)
    return store.take_slot(name, most)


def _note_wait(turn: Turn, seen: Creations) -> None:
    """Record that the tenant waits, so that others leave it its share; if others record something now, the next look does."""
    tenant, now = turn.batch.tenant, turn.services.now()
    if not create_limits.is_waiting(seen, tenant, now):
        turn.account.creations.save_creations(seen, create_limits.with_waiting(seen, tenant, now))


def _look_again(turn: Turn, floor: int) -> int:
    services = turn.services
    elapsed, ceiling = services.now() - turn.attempt.started_at, services.settings.retry_ceiling_seconds
    return room_wait(elapsed, floor, ceiling, services.chance(), soon=True)
