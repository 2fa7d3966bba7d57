"""Deliver every step of a batch until it goes through, each time to a new process, and judge what came of it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from batchyard.domain.errors import StaleRecord, StoreError
from batchyard.domain.step import Step
from batchyard.planning.intake import intake
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from batchyard.services import Services
from tests.fakes.batches import BUCKET
from tests.fakes.lines import bad, good, unrun

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.world import World

MOST_DELIVERIES: Final = 12
ADAPTERS: Final = (
    "bucket", "batch_store", "sweep_store", "executions", "event_bus",
    "cancel_function", "file_store", "file_bucket",
)  # fmt: skip


class Killed(BaseException):
    """The process is gone: nothing of ours may catch it."""


def first_answers(custom_id: str) -> bytes | None:
    """Answer one line in each way there is."""
    return [good(custom_id), bad(custom_id, 400), bad(custom_id, 503), unrun(custom_id), None][int(custom_id[1:]) % 5]


def same_adapters(world: World) -> Services:
    """Make services of a new process; the adapters hold no state, and their clients are slow to make."""
    fresh = Services(world.services.settings, world.provider, world.clock, world.services.chance)
    for name in ADAPTERS:
        setattr(fresh, name, getattr(world.services, name))
    for name, account in fresh.accounts.items():
        known = world.services.account(name)
        account.token_ledgers, account.creations = known.token_ledgers, known.creations
    return fresh


def run_whole(world: World, key: str, about: Callable[[Callable[[], Any]], None] = lambda _: None) -> str:
    """Play the whole flow of an upload; `about` is told each step before it is delivered."""

    def deliver(call: Callable[[], Any]) -> Any:
        about(call)
        for _ in range(MOST_DELIVERIES):
            try:
                return call()
            except (Killed, StaleRecord, StoreError):
                world.clock.now += 30
                world.services = same_adapters(world)
        raise AssertionError("still failing")

    batch_id = deliver(lambda: intake(world.services, BUCKET, key))
    planned = deliver(lambda: plan(world.services, batch_id))
    for each in json.loads(deliver(lambda: world.services.bucket.get(planned.shards["key"]))):
        step = Step(batch_id, each["shard"])
        for _ in range(100):
            if step.next == "done":
                break
            world.clock.now += step.wait_seconds
            step = deliver(lambda step=step: world.step(step))  # type: ignore[misc]
    assert deliver(lambda: assemble(world.services, batch_id)) == "done"
    return str(batch_id)


def check(world: World, batch_id: str, lines: list[str]) -> None:
    """Judge by the results and the provider's ledger alone."""
    output, errors = world.answered(batch_id, "output.jsonl"), world.answered(batch_id, "errors.jsonl")
    answered = [each["custom_id"] for each in output + errors]
    assert sorted(answered) == sorted(lines)
    for result in (output, errors):
        places = [lines.index(each["custom_id"]) for each in result]
        assert places == sorted(places)
    paid = Counter(custom_id for custom_id, answer in world.provider.ledger() if answer == "2xx")
    assert max(paid.values()) == 1, f"paid twice: {paid.most_common(3)}"
    assert all(batch.ended or batch.status == "cancelling" for batch in world.provider.batches.values())
    for name in world.services.account().token_ledgers.names():
        book = world.services.account().token_ledgers.read(name)
        assert (book.enqueued, book.reservations, book.confirmed, book.unconfirmed) == (0, 0, 0, 0)
        assert not list(world.services.account().token_ledgers.reservations(name))
