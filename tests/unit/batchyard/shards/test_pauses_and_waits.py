"""A pause and a wait for one's turn, each of another shard: each has its own words, and events tell of the pause alone."""

from collections.abc import Callable

import pytest

from batchyard.api.batches import resume_batch
from batchyard.domain.batch import Batch, shape
from batchyard.domain.errors import StoreError
from batchyard.domain.numbers import HOUR
from batchyard.domain.shard import with_members
from batchyard.domain.step import Next, Step
from batchyard.domain.token_ledger import Reservation, Terms
from batchyard.recovery.census import BatchCensus
from batchyard.services import Services
from batchyard.shards import turn
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from batchyard.shards.turn import TOLD_AFTER, Turn, announce_pause
from tests.fakes.batches import BATCH_ID
from tests.fakes.services import MemoryServices
from tests.unit.batchyard.shards.test_pauses import FIRST, NO_KEY, NO_MONEY, SECOND, refuse, several

TURN = "Waiting for room at the provider for m: the limit is 100 enqueued tokens."


def waits_its_turn(services: MemoryServices, step: Step = SECOND, why: str = TURN) -> None:
    """Have a shard that has begun wait its turn for more than a minute."""
    shard = services.batch_store.kept[BATCH_ID, step.shard]
    services.wait(TOLD_AFTER)
    Turn(services, services.batch_store.batch(BATCH_ID), shard, step).save_wait(why)


def shown(services: MemoryServices) -> str:
    return str(shape(services.batch_store.batch(BATCH_ID)).get("paused") or "")


def counted(services: MemoryServices) -> int:
    census = BatchCensus()
    census.see(services.batch_store.batch(BATCH_ID))
    return census.paused


@pytest.mark.parametrize("first", ["pause", "wait"])
def test_each_pause_is_told_and_its_end_though_another_shard_waits_its_turn(first: str) -> None:
    services = several()
    submit(services, SECOND)
    if first == "wait":
        waits_its_turn(services)
        assert (shown(services), services.event_bus.announced, counted(services)) == (TURN, [], 0)
    refuse(services, "create_file", NO_MONEY)
    submit(services, FIRST)
    if first == "pause":
        waits_its_turn(services)
    assert "pay first" in shown(services), "the pause is what somebody must act on"
    assert (services.event_bus.announced, counted(services)) == (["paused"], 1)
    submit(services, FIRST)
    assert (shown(services), counted(services)) == (TURN, 0)
    assert services.event_bus.announced == ["paused", "resumed"]
    refuse(services, "retrieve_batch", NO_KEY, NO_KEY)
    poll(services, FIRST.then(Next.POLL))
    assert "our key" in shown(services)
    assert (services.event_bus.announced[2:], counted(services)) == (["paused"], 1)


def test_the_event_of_a_pause_says_why_it_is_one_though_another_shard_begins_to_wait_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = several()
    submit(services, SECOND)
    refuse(services, "create_file", NO_MONEY)
    told: list[str] = []
    services.event_bus.announce = lambda batch, *_: told.append(shape(batch)["paused"])  # type: ignore[method-assign]

    def late(of: Services, batch: Batch) -> None:
        monkeypatch.setattr(turn, "announce_pause", announce_pause)
        waits_its_turn(services)
        announce_pause(of, of.batch_store.batch(batch.batch_id))

    monkeypatch.setattr(turn, "announce_pause", late)
    submit(services, FIRST)
    assert len(told) == 1
    assert "pay first" in told[0]


def test_a_shard_whose_last_call_failed_stays_paused_while_it_waits_its_turn() -> None:
    services = several()
    refuse(services, "create_file", NO_MONEY)
    submit(services, FIRST)
    waits_its_turn(services, FIRST)
    assert "pay first" in shown(services), "whether it is paid, the next call tells"
    submit(services, FIRST)
    assert (shown(services), services.event_bus.announced) == ("", ["paused", "resumed"])


def test_whoever_waits_its_turn_is_tried_at_once_when_that_is_asked() -> None:
    services = several()
    submit(services, SECOND)
    waits_its_turn(services)
    assert resume_batch(services, "default", BATCH_ID, {})["paused"] == TURN
    assert services.advance_function.invoked == [{"batch_id": BATCH_ID, "shard": 1}]


def pending(services: MemoryServices) -> None:
    """Have the provider process the uploaded file."""
    services.provider.file_statuses = ["pending"] * 99


def crowded(services: MemoryServices) -> None:
    """Have the provider have refused what should have fitted."""
    store = services.account().token_ledgers
    name = store.name_of("m")
    store.change(name, crowded=1, crowded_until=services.now() + HOUR)


@pytest.mark.parametrize("waiting", [pending, crowded])
@pytest.mark.parametrize("died", [False, True])
def test_a_wait_for_the_provider_itself_is_a_pause_and_told_though_a_worker_dies_before_it_tells(
    waiting: Callable[[MemoryServices], None], died: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = several()
    waiting(services)
    assert submit(services, FIRST).next == Next.SUBMIT
    assert shown(services) == ""
    services.wait(TOLD_AFTER)
    if died:
        with monkeypatch.context() as patched:
            patched.setattr(services.event_bus, "announce", dies)
            with pytest.raises(StoreError):
                submit(services, FIRST)
    for _ in range(3):
        assert submit(services, FIRST).next == Next.SUBMIT
    assert services.event_bus.announced == ["paused"]
    assert counted(services) == 1
    assert "The provider" in shown(services)


def dies(*_: object) -> None:
    raise StoreError("the bus is away")


def test_a_pause_whose_end_nobody_told_is_told_by_the_next_that_waits_its_turn() -> None:
    services = several()
    crowded(services)
    submit(services, FIRST)
    services.wait(TOLD_AFTER)
    submit(services, FIRST)
    store = services.account().token_ledgers
    name = store.name_of("m")
    store.change(name, crowded=0)
    store.take(name, Reservation(attempt="b/9/1", since=0, wanted=10**9), Terms(), 0)
    store.change(name, limit=1, stated=True)
    shard = services.batch_store.kept[BATCH_ID, 0]
    services.batch_store.save_shard(shard, with_members(shard, paused=None, waits=TURN))  # and the worker died
    assert submit(services, FIRST).next == Next.SUBMIT
    assert services.event_bus.announced == ["paused", "resumed"]
    assert shown(services).startswith("Waiting for room")
