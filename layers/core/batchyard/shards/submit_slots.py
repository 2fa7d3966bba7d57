"""How many shards of all batches are submitted at once: a worker holds one of the slots while it uploads and creates.

The rest of Lambda's concurrency is then for the other steps, and for the HTTP API.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from batchyard.domain import create_limits
from batchyard.domain.pacing import room_wait
from batchyard.observability import logger
from batchyard.services import Services

if TYPE_CHECKING:
    from batchyard.shards.turn import Turn

FLOOR: Final = 5  # seconds; most slots are held for a few seconds only


@contextmanager
def slot(turn: "Turn") -> Iterator[int]:
    """Hold a slot; yield 0, or the seconds to wait when none is free."""
    services, attempt = turn.services, turn.attempt
    most, provider = services.settings.max_concurrent_submits, services.token_ledger_store.provider
    if not most:
        yield 0
        return
    now = services.now()
    name = create_limits.slot(turn.shard.attempt_key, now)
    if not _take(services, name, create_limits.allowed(most, attempt.started_at, now)):
        logger.info("no slot to submit", provider=provider, batch_id=turn.shard.batch_id, shard=turn.shard.shard)
        elapsed, ceiling = now - attempt.started_at, services.settings.retry_ceiling_seconds
        yield room_wait(elapsed, FLOOR, ceiling, services.chance(), soon=True)
        return
    try:
        yield 0
    finally:
        services.token_ledger_store.drop_slots(provider, [name])


def _take(services: Services, name: str, most: int) -> bool:
    """Take a slot, if need be after those of workers that died were given back."""
    store, provider = services.token_ledger_store, services.token_ledger_store.provider
    if store.take_slot(provider, name, most):
        return True
    over = [held for held in store.slots(provider) if create_limits.is_over(held, services.now())]
    if not over:
        return False
    store.drop_slots(provider, over)
    return store.take_slot(provider, name, most)
