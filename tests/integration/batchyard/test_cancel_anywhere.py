"""A cancel that comes amid a step meets the conditions of the real table: the record ends in one true state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchyard.api import batches
from tests.fakes.endings import answering
from tests.fakes.lines import good, jsonl, request, unrun

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.world import World

TEN = [f"r{at}" for at in range(10)]


def drop(world: World) -> str:
    return world.drop(jsonl([request(each) for each in TEN]))


def cancel(world: World, batch_id: str) -> str:
    return str(batches.cancel_batch(world.services, "default", batch_id)["status"])


def cancelled_during(world: World, batch_id: str, call: str, *, after: bool) -> None:
    """Have the user cancel before or after the provider does its part of this call, once."""
    original: Callable[..., Any] = getattr(world.provider, call)

    def interrupted(*arguments: Any, **named: Any) -> Any:
        setattr(world.provider, call, original)
        answer = original(*arguments, **named) if after else None
        assert cancel(world, batch_id) == "cancelling"
        return answer if after else original(*arguments, **named)

    setattr(world.provider, call, interrupted)


@pytest.mark.parametrize(
    ("call", "after"), [("create_batch", False), ("download_file", True)], ids=["before a create", "after a download"]
)
def test_whenever_it_is_cancelled_it_ends_so_with_every_line_and_nothing_running(
    world: World, call: str, *, after: bool
) -> None:
    world.provider.endings = [answering(lambda each: good(each) if each < "r5" else unrun(each), "expired")]
    batch_id = drop(world)
    cancelled_during(world, batch_id, call, after=after)
    assert world.run(batch_id) == "done"
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.status, batch.completed_at, batch.paused) == ("cancelled", None, None)
    output, errors = world.answered(batch_id, "output.jsonl"), world.answered(batch_id, "errors.jsonl")
    assert [each["custom_id"] for each in output + errors] == TEN
    assert {each["error"]["code"] for each in errors} == {"batch_cancelled"}
    assert len(output) == (5 if call == "download_file" else len(list(world.provider.ledger())))
    assert all(each.ended for each in world.provider.batches.values())
    assert len(world.provider.batches) <= 1


def test_cancelling_twice_and_after_the_end_is_fine(world: World) -> None:
    batch_id = drop(world)
    assert [cancel(world, batch_id) for _ in range(2)] == ["cancelling"] * 2
    assert world.run(batch_id) == "done"
    assert cancel(world, batch_id) == "cancelled"
    assert world.provider.calls == []
