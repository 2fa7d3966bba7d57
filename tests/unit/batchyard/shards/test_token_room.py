"""The room of tokens is shared by tenants turn by turn, and nobody waits for ever for what another has at the provider."""

import msgspec
import pytest

from batch_client import QuotaError
from batchyard.domain.create_limits import INTERVAL, Creations
from batchyard.domain.numbers import DAY
from batchyard.domain.pacing import UNKNOWN_FLOOR, UNKNOWN_FOR
from batchyard.domain.step import Next, Step
from batchyard.domain.token_ledger import MOST_UNCONFIRMED, OVERDUE, Reservation, Terms
from batchyard.planning.plan import plan
from batchyard.shards import token_room
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from batchyard.shards.turn import TOLD_AFTER, announce_pause
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.planned import KEY, planned
from tests.fakes.services import MemoryServices

FIRST, OTHER, ROOM = Step(BATCH_ID, 0), "another-tenant", 100


def name_of(services: MemoryServices) -> str:
    return services.account().token_ledgers.name_of("m")


def busy(services: MemoryServices, waiting: int) -> None:
    """Have another tenant fill the room, and have so many of its attempts wait, all before ours came."""
    store, name, now = services.account().token_ledgers, name_of(services), services.now()
    full = Reservation(attempt="batch_other/0/1", since=now - 60, tenant=OTHER, wanted=ROOM, seen_at=now)
    assert store.take(name, full, Terms(), 0)
    for at in range(1, waiting + 1):
        place = store.take_place(name, OTHER, 0, ROOM)
        each = msgspec.structs.replace(full, attempt=f"batch_other/{at}/1", since=now - 60 + at, place=place)
        assert store.wait(name, each, 0)


def one_leaves(services: MemoryServices) -> None:
    """Release what the other tenant holds."""
    store, name = services.account().token_ledgers, name_of(services)
    held = next(each for each in store.reservations(name) if each.tokens and each.tenant == OTHER)
    assert store.release(name, held, 0, ended=True)


def queue(services: MemoryServices) -> list[str]:
    last = Reservation(attempt="~", since=2**40, place=2**40)
    return [each.tenant for each in services.account().token_ledgers.ahead(name_of(services), last)]


def test_a_tenant_whose_work_comes_last_is_next_but_one_however_much_another_has_waiting() -> None:
    services = planned(max_enqueued_tokens=str(ROOM))
    busy(services, 1_000)
    assert submit(services, FIRST).next == Next.SUBMIT
    assert queue(services)[:3] == [OTHER, "default", OTHER]


def test_it_enters_when_the_one_before_it_has_entered() -> None:
    services = planned(max_enqueued_tokens=str(ROOM))
    busy(services, 3)
    store, name = services.account().token_ledgers, name_of(services)
    assert submit(services, FIRST).next == Next.SUBMIT
    one_leaves(services)
    assert submit(services, FIRST).next == Next.SUBMIT, "the other stands before"
    first = next(store.ahead(name, Reservation(attempt="~", since=2**40, place=2**40)))
    assert store.take(name, first, Terms(), 0, first.place)
    one_leaves(services)
    assert submit(services, FIRST).next == Next.POLL


def test_the_places_of_one_tenant_keep_the_order_of_its_attempts() -> None:
    services = planned()
    store, name = services.account().token_ledgers, name_of(services)
    assert [store.take_place(name, "a", 0, tokens) for tokens in (30, 50, 20)] == [0, 30, 80]
    assert store.take_place(name, "b", 40, 10) == 40, "who comes later begins where all are"


def test_an_attempt_that_the_provider_never_takes_in_holds_nobody_up_for_long() -> None:
    services = planned(first_enqueued_tokens=1)
    store, name = services.account().token_ledgers, name_of(services)
    assert submit(services, FIRST).next == Next.POLL
    (made,) = services.provider.batches.values()
    services.provider.batches[made.id] = msgspec.structs.replace(made, status="validating")
    assert store.read(name).unconfirmed == 1
    services.wait(OVERDUE - 1)
    poll(services, FIRST)
    assert store.read(name).unconfirmed == 1
    services.wait(1)
    poll(services, FIRST)
    assert store.read(name).unconfirmed == 0
    poll(services, FIRST)
    assert (store.read(name).unconfirmed, store.read(name).overdue) == (0, 1), "it is counted once"
    services.provider.batches[made.id] = msgspec.structs.replace(made, status="in_progress")
    poll(services, FIRST)
    ledger = store.read(name)
    assert (ledger.unconfirmed, ledger.overdue, ledger.confirmed) == (0, 0, ledger.enqueued)


def test_attempts_that_are_never_taken_in_let_no_more_out_than_at_the_beginning() -> None:
    services = planned(max_enqueued_tokens="0", first_enqueued_tokens=1, max_requests_per_shard=1)
    store, name = services.account().token_ledgers, name_of(services)
    for at in range(12):  # others of ours that the provider does not begin with
        late = Reservation(attempt=f"b/{at}/1", since=0, tokens=10)
        store.take(name, msgspec.structs.replace(late, tokens=0, wanted=10), Terms(), 0)
        held = store.reservation(name, late.attempt)
        assert held is not None
        assert store.mark_overdue(name, held)
    assert [submit(services, Step(BATCH_ID, shard)).next for shard in range(3)] == [Next.POLL, Next.POLL, Next.SUBMIT]
    for at in range(12):
        held = store.reservation(name, f"b/{at}/1")
        assert held is not None
        assert store.release(name, held, 0, ended=True)
    assert store.read(name).overdue == 0


def test_a_wait_of_more_than_a_minute_is_shown_and_no_event_calls_it_a_pause() -> None:
    services = planned(max_enqueued_tokens=str(ROOM))
    busy(services, 1)
    submit(services, FIRST)
    assert services.batch_store.batch(BATCH_ID).why_waiting is None
    services.wait(TOLD_AFTER)
    submit(services, FIRST)
    assert services.batch_store.batch(BATCH_ID).why_waiting == (
        "Waiting for room at the provider for m: the limit is 100 enqueued tokens."
    )
    assert "paused" not in services.event_bus.announced, "nothing has failed, and nobody need act"
    announce_pause(services, services.batch_store.batch(BATCH_ID))
    assert "paused" not in services.event_bus.announced, "nor does the end of another shard's wait"
    one_leaves(services)
    services.wait(DAY)
    services.provider.trouble["create_file"] = [QuotaError("pay first", status=429, code="insufficient_quota")]
    submit(services, FIRST)
    assert services.event_bus.announced[-1] == "paused", "a pause that follows is told"
    assert submit(services, FIRST).next == Next.POLL
    assert services.event_bus.announced[-1] == "resumed"
    assert services.batch_store.batch(BATCH_ID).why_waiting is None


@pytest.mark.parametrize(("limit", "first_poll", "then"), [("0", UNKNOWN_FLOOR, 30), ("1000000", 30, 30)])
def test_while_no_limit_is_known_the_first_answer_is_asked_for_soon(limit: str, first_poll: int, then: int) -> None:
    services = planned(max_enqueued_tokens=limit, poll_floor_seconds=30)
    created = submit(services, FIRST)
    assert (created.next, created.wait_seconds) == (Next.POLL, first_poll)
    services.wait(first_poll)
    again = poll(services, created)
    assert again.next == Next.POLL
    assert again.wait_seconds >= then * 0.9


def test_while_no_limit_is_known_room_is_looked_for_soon_at_first_and_then_as_usual() -> None:
    services = planned(max_enqueued_tokens="0", retry_floor_seconds=30)
    services.account().token_ledgers.change(name_of(services), enqueued=10**9, unconfirmed=MOST_UNCONFIRMED)
    assert submit(services, FIRST).wait_seconds <= UNKNOWN_FLOOR
    services.wait(UNKNOWN_FOR)
    assert submit(services, FIRST).wait_seconds > UNKNOWN_FLOOR


@pytest.mark.parametrize("setting", ["max_creates_per_hour", "max_concurrent_submits"])
def test_a_wait_for_the_hour_or_a_slot_is_told_too(setting: str) -> None:
    services = planned(**{setting: 1})
    services.account().creations.take_slot(f"{services.now() + 900:010}#other", 1)
    full = Creations(counts={str(services.now() // INTERVAL): {OTHER: 1}})
    assert services.account().creations.save_creations(Creations(), full)
    for wait in (0, TOLD_AFTER):
        services.wait(wait)
        assert submit(services, FIRST).next == Next.SUBMIT
    paused = services.batch_store.batch(BATCH_ID).why_waiting or ""
    assert ("an hour" in paused) is (setting == "max_creates_per_hour")
    assert ("MaxConcurrentSubmits" in paused) is (setting == "max_concurrent_submits")


def another(services: MemoryServices, number: int, tenant: str) -> Step:
    """Plan another batch of the same input, for a tenant; return its first step."""
    batch_id = f"batch_{number:032x}"
    services.batch_store.create_batch(batch(batch_id=batch_id, tenant=tenant, input=services.bucket.head(KEY)[0]))
    assert plan(services, batch_id).next == "run"
    return Step(batch_id, 0)


def over(services: MemoryServices, step: Step) -> None:
    """End what a step's shard holds."""
    shard = services.batch_store.kept[step.batch_id, 0]
    assert token_room.release(services, shard, ended=True)


def test_a_stream_of_attempts_that_enter_at_once_starves_nobody_who_waits() -> None:
    services = planned(max_enqueued_tokens=str(ROOM))
    assert submit(services, FIRST).next == Next.POLL
    inside, waits = FIRST, another(services, 1, "default")
    assert submit(services, waits).next == Next.SUBMIT
    for number in range(2, 6):
        over(services, inside)
        inside = another(services, number, OTHER)
        if submit(services, inside).next == Next.SUBMIT:
            break
    assert submit(services, waits).next == Next.POLL, "the other tenant has had as much by now"


def entered(services: MemoryServices, inside: Step, waiting: list[Step]) -> Step:
    """End what is inside; whoever waits looks for room, in the order in which all came. Answer who has it."""
    over(services, inside)
    for _ in range(2):
        for step in waiting:
            if submit(services, step).next == Next.POLL:
                return step
    raise AssertionError("nobody entered")


def test_a_tenant_that_comes_last_enters_long_before_all_of_another_have() -> None:
    services = planned(max_enqueued_tokens=str(ROOM))
    assert submit(services, FIRST).next == Next.POLL
    crowd = [another(services, number, "default") for number in range(2, 12)]
    assert {submit(services, step).next for step in crowd} == {Next.SUBMIT}
    late = another(services, 1_000, OTHER)
    assert submit(services, late).next == Next.SUBMIT
    inside, before = FIRST, 0
    while (inside := entered(services, inside, [*crowd, late])) != late:
        crowd.remove(inside)
        before += 1
    assert before <= 1


def test_what_a_tenant_had_before_another_came_is_not_held_against_it() -> None:
    services = planned(max_enqueued_tokens=str(ROOM))
    inside = FIRST
    assert submit(services, inside).next == Next.POLL
    for number in range(2, 12):
        over(services, inside)
        inside = another(services, number, "default")
        assert submit(services, inside).next == Next.POLL
    crowd = [another(services, number, OTHER) for number in range(20, 30)]
    waits = another(services, 1_000, "default")
    assert {submit(services, step).next for step in [*crowd, waits]} == {Next.SUBMIT}
    before = 0
    while (inside := entered(services, inside, [*crowd, waits])) != waits:
        crowd.remove(inside)
        before += 1
    assert before <= 2


@pytest.mark.parametrize("what", ["the hour", "a slot"])
def test_who_waits_for_something_else_holds_no_room(what: str) -> None:
    services = planned(max_creates_per_hour=1, max_concurrent_submits=1)
    if what == "the hour":
        full = Creations(counts={str(services.now() // INTERVAL): {OTHER: 1}})
        assert services.account().creations.save_creations(Creations(), full)
    else:
        services.account().creations.take_slot(f"{services.now() + 10**6:010}#other", 1)
    store, name = services.account().token_ledgers, name_of(services)
    for _ in range(3):
        assert submit(services, FIRST).next == Next.SUBMIT
        services.wait(TOLD_AFTER)
    assert (store.read(name).enqueued, store.read(name).unconfirmed) == (0, 0)
    known = store.reservation(name, services.batch_store.kept[BATCH_ID, 0].attempt_key)
    assert known is not None
    assert known.place == 0, "it keeps its place"
