"""So many shards of all batches are submitted at once, and a worker that died keeps nobody out for ever."""

from typing import Any

import pytest

from batch_client import APIConnectionError, Batch
from batchyard.domain.create_limits import LONG, LONGEST_HELD, slot
from batchyard.domain.step import Next, Step
from batchyard.shards.create_room import FLOOR
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)


def taken(services: MemoryServices, slots: int) -> None:
    """Have other workers hold so many slots, from now on."""
    for other in range(slots):
        assert services.account().creations.take_slot(slot(f"other-{other}", services.now()), slots)


def held(services: MemoryServices) -> list[str]:
    return services.account().creations.slots()


def test_without_a_free_slot_nothing_is_uploaded_and_the_shard_looks_again_soon() -> None:
    services = planned(max_concurrent_submits=2)
    taken(services, 2)
    following = submit(services, FIRST)
    assert (following.next, following.wait_seconds) == (Next.SUBMIT, FLOOR)
    assert services.provider.files == {}
    assert len(held(services)) == 2


def test_a_slot_is_held_while_the_shard_is_created_and_then_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    services = planned(max_concurrent_submits=1)
    create, seen = services.provider.create_batch, list[str]()

    def look_and_create(**how: Any) -> Batch:
        seen.extend(held(services))
        return create(**how)

    monkeypatch.setattr(services.provider, "create_batch", look_and_create)
    assert submit(services, FIRST).next == Next.POLL
    assert len(seen) == 1
    assert held(services) == []


def test_a_slot_is_given_back_when_the_upload_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    services = planned(max_concurrent_submits=1)

    def fail(*_: object) -> None:
        raise APIConnectionError("the provider is away")

    monkeypatch.setattr(services.provider, "create_file", fail)
    assert submit(services, FIRST).next == Next.SUBMIT
    assert held(services) == []


def test_the_slot_of_a_worker_that_died_is_free_when_no_worker_can_live_so_long() -> None:
    services = planned(max_concurrent_submits=1)
    taken(services, 1)
    services.wait(LONGEST_HELD - 1)
    assert submit(services, FIRST).next == Next.SUBMIT
    services.wait(1)
    assert submit(services, FIRST).next == Next.POLL


def test_a_tenth_of_the_slots_is_for_shards_that_have_waited_long() -> None:
    services = planned(max_concurrent_submits=10)
    taken(services, 9)
    assert submit(services, FIRST).next == Next.SUBMIT
    assert len(held(services)) == 9
    services.account().creations.drop_slots(held(services))
    services.wait(LONG)
    taken(services, 9)
    assert submit(services, FIRST).next == Next.POLL


def test_without_a_limit_no_slot_is_looked_for() -> None:
    services = planned(max_concurrent_submits=0)
    taken(services, 3)
    assert submit(services, FIRST).next == Next.POLL
