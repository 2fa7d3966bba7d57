"""A firing becomes one batch or none, once: whoever makes it dies, fails or is overtaken, and the clock tells twice or late."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise, product
from typing import Any, Final

import msgspec
import pytest

from batchyard.adapters import event_bus
from batchyard.api.batches import of_schedule
from batchyard.domain.errors import ApiError, BatchyardError, StoreError
from batchyard.domain.numbers import HOUR, MINUTE
from batchyard.recovery.missed_firings import see_to_schedules
from batchyard.recovery.sweep_run import SweepRun
from batchyard.schedules import changes, requests
from batchyard.schedules.firing import LATE
from batchyard.schedules.trigger import trigger
from batchyard.schedules.upkeep import UNDER_WAY
from tests.fakes.batches import NOW
from tests.fakes.services import MemoryServices
from tests.faults.strikes import KINDS, Killed, Strike, Strikes, Struck

#: Our times are whole minutes; the clock of these tests tells each 20 seconds later than we would name it.
OURS: Final = NOW - NOW % MINUTE
KEY: Final = "files/default/nightly.jsonl"
BODY: Final = {"name": "nightly", "schedule": "rate(1 hour)", "input": {"key": KEY}, "endpoint": "/v1/chat/completions"}
STRUCK: Final = (
    "bucket", "batch_store", "executions", "event_bus",
    "schedule_store", "schedule_clock", "trigger_function", "idempotency_store",
)  # fmt: skip
#: More than a firing has.
EFFECTS: Final = 20


class Stack:
    """A stack with an object, whose adapters can be struck."""

    def __init__(self, **members: Any) -> None:
        self.plain, self.strikes = MemoryServices(), Strikes()
        self.plain.bucket.put(KEY, b'{"custom_id": "1"}\n')
        self.struck = MemoryServices()
        self.struck.clock = self.plain.clock
        vars(self.struck).update({name: Struck(getattr(self.plain, name), self.strikes) for name in STRUCK})
        self.members = {**BODY, **members}

    def schedule(self) -> str:
        made = requests.create_schedule(self.plain, "default", self.members, of_schedule)
        return str(made["id"])

    def tell(self, schedule_id: str, at: int, services: MemoryServices | None = None) -> str | None:
        return trigger(
            services or self.plain, {"tenant": "default", "schedule_id": schedule_id, "scheduled_at": _iso(at)}
        )

    def sweep(self, services: MemoryServices | None = None) -> None:
        """Sweep, and let the functions run that the sweep invoked."""
        see_to_schedules(SweepRun(services or self.plain, lambda: 600.0))
        asked = self.plain.trigger_function.invoked
        while asked:
            trigger(self.plain, asked.pop(0))

    def end(self, batch_id: str) -> None:
        batch = self.plain.batch_store.batches[batch_id]
        self.plain.batch_store.batches[batch_id] = msgspec.structs.replace(batch, status="completed")

    def told_of(self, batch_id: str, services: MemoryServices | None = None) -> str | None:
        """Have the bus tell that a batch has ended, as the rule of the template hands the event over."""
        told = json.loads(event_bus.detail(self.plain.batch_store.batches[batch_id]))
        return trigger(services or self.plain, {"source": "batchyard", "detail": told})

    def end_all(self) -> None:
        for batch_id in self.plain.batch_store.batches:
            self.end(batch_id)

    @property
    def batches(self) -> list[str]:
        """The batches, each of which has one execution: a second start of a name is refused."""
        assert set(self.plain.executions.started) <= set(self.plain.batch_store.batches)
        return [*self.plain.batch_store.batches]


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tells_again", [True, False])
def test_wherever_a_firing_is_struck_one_batch_is_made(kind: str, tells_again: bool, after: bool) -> None:
    effects = effects_of(lambda stack, schedule_id: stack.tell(schedule_id, NOW + HOUR, stack.struck), wait=HOUR)
    assert 8 < effects < EFFECTS
    for effect in range(effects):
        stack = Stack()
        schedule_id = stack.schedule()
        at = NOW + HOUR
        stack.plain.wait(HOUR)
        stack.strikes.due = Strike(kind, effect, after=after)
        stack.strikes.step = lambda stack=stack, schedule_id=schedule_id, at=at: stack.tell(schedule_id, at)  # type: ignore[misc]
        with suppress(Killed, BatchyardError):
            stack.tell(schedule_id, at, stack.struck)
        if tells_again:
            stack.tell(schedule_id, at)
        else:
            stack.plain.wait(LATE + UNDER_WAY)
            stack.sweep()
        (batch_id,) = stack.batches
        assert batch_id in stack.plain.executions.started
        assert stack.plain.schedule_store.known[schedule_id].open is None
        shown = requests.retrieve_schedule(stack.plain, "default", schedule_id)
        assert shown["last_firing"]["batch_id"] == batch_id
        assert [each["id"] for each in batches_of(stack, schedule_id)] == [batch_id]


def effects_of(what: Callable[[Stack, str], object], wait: int = 0) -> int:
    """Count the effects that something has, with a schedule and so many seconds later."""
    stack = Stack()
    schedule_id = stack.schedule()
    stack.plain.wait(wait)
    what(stack, schedule_id)
    assert stack.strikes.count
    return stack.strikes.count


def batches_of(stack: Stack, schedule_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.schedule_batches(stack.plain, "default", schedule_id, None, None)["data"]
    return found


def test_the_clock_comes_twice_late_and_out_of_order_and_each_time_is_one_batch_or_none() -> None:
    stack = Stack()
    schedule_id = stack.schedule()
    stack.plain.wait(2 * HOUR + MINUTE)
    first = stack.tell(schedule_id, NOW + HOUR)  # an hour late: the next time is due, too, and is the one that counts
    assert stack.tell(schedule_id, NOW + 2 * HOUR) == first
    assert stack.tell(schedule_id, NOW + HOUR) == first
    assert stack.batches == [first]
    stack.end_all()
    stack.plain.wait(HOUR)
    second = stack.tell(schedule_id, NOW + 3 * HOUR)
    assert stack.tell(schedule_id, NOW + 3 * HOUR) == second
    assert stack.batches == [first, second]


def test_what_was_missed_while_the_stack_was_down_is_caught_up_once() -> None:
    stack = Stack()
    schedule_id = stack.schedule()
    stack.plain.wait(7 * HOUR + 2 * LATE)
    stack.sweep()
    stack.sweep()
    for hour in (3, 1, 7, 2, 7, 5):  # and now the clock's own tries come, in any order
        stack.tell(schedule_id, NOW + hour * HOUR)
    assert len(stack.batches) == 1
    assert stack.plain.schedule_store.known[schedule_id].fired_for == OURS + 7 * HOUR


@pytest.mark.parametrize("apart", [-59, -1, 1, 59])
def test_a_time_that_aws_names_otherwise_than_we_reckon_it_is_the_same_time(apart: int) -> None:
    for swept_first in (True, False):
        stack = Stack()
        schedule_id = stack.schedule()
        stack.plain.wait(HOUR + 2 * LATE)
        for turn in (swept_first, not swept_first):
            if turn:
                stack.sweep()
            else:
                stack.tell(schedule_id, OURS + HOUR + apart)
            stack.end_all()
        assert len(stack.batches) == 1
        stack.plain.wait(HOUR)
        assert stack.tell(schedule_id, OURS + 2 * HOUR + apart) is not None


@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_a_firing_while_a_batch_runs_is_none_or_waits_and_no_more_than_one_waits(overlap: str) -> None:
    stack = Stack(overlap=overlap)
    schedule_id = stack.schedule()
    stack.plain.wait(HOUR)
    first = stack.tell(schedule_id, NOW + HOUR)
    for hour in (2, 3, 4):
        stack.plain.wait(HOUR)
        assert stack.tell(schedule_id, NOW + hour * HOUR) is None
        stack.sweep()
    assert stack.batches == [first]
    stack.end_all()
    stack.sweep()
    assert len(stack.batches) == (2 if overlap == "queue" else 1)
    stack.end_all()
    stack.sweep()
    assert len(stack.batches) == (2 if overlap == "queue" else 1)


def _queued() -> tuple[Stack, str, str]:
    """Make a schedule whose second firing waits for its first batch, and return stack, schedule and that batch."""
    stack = Stack(overlap="queue")
    schedule_id = stack.schedule()
    stack.plain.wait(HOUR)
    first = stack.tell(schedule_id, NOW + HOUR) or ""
    stack.plain.wait(HOUR)
    assert stack.tell(schedule_id, NOW + 2 * HOUR) is None
    return stack, schedule_id, first


def test_the_end_of_a_batch_begins_the_firing_that_waits_for_it_once_however_often_it_is_told() -> None:
    stack, schedule_id, first = _queued()
    assert (
        requests.retrieve_schedule(stack.plain, "default", schedule_id)["waits_for"]
        == f"the batch {first} has not ended"
    )
    assert stack.told_of(first) is None  # an event that is early, or of another time: the batch still runs
    stack.end(first)
    assert requests.retrieve_schedule(stack.plain, "default", schedule_id)["waits_for"] is None
    second = stack.told_of(first)
    assert stack.batches == [first, second]
    stack.told_of(first)
    stack.sweep()
    assert stack.batches == [first, second]
    stack.plain.wait(HOUR)
    assert stack.tell(schedule_id, NOW + 3 * HOUR) is None
    assert stack.told_of(first) is None  # late: what waits now waits for another batch
    assert stack.batches == [first, second]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tells_again", [True, False])
def test_wherever_the_end_of_a_batch_is_struck_the_firing_that_waits_is_one_batch(
    kind: str, tells_again: bool, after: bool
) -> None:
    struck = 0
    for effect in range(EFFECTS):
        stack, schedule_id, first = _queued()
        stack.end(first)
        stack.strikes.due = Strike(kind, effect, after=after)
        stack.strikes.step = lambda stack=stack, first=first: stack.told_of(first)  # type: ignore[misc]
        with suppress(Killed, BatchyardError):
            stack.told_of(first, stack.struck)
        struck += len(stack.strikes.struck)
        if tells_again:
            stack.told_of(first)
        stack.plain.wait(UNDER_WAY)
        stack.sweep()
        assert len(stack.batches) == 2
        assert set(stack.batches) == set(stack.plain.executions.started)
        assert stack.plain.schedule_store.known[schedule_id].open is None
    assert 8 < struck < EFFECTS


def test_a_batch_that_ends_before_the_wait_for_it_is_recorded_is_waited_for_no_more() -> None:
    struck = []
    for effect in range(EFFECTS):
        stack = Stack(overlap="queue")
        schedule_id = stack.schedule()
        stack.plain.wait(HOUR)
        first = stack.tell(schedule_id, NOW + HOUR) or ""
        stack.plain.wait(HOUR)

        def ends(stack: Stack = stack, first: str = first) -> None:
            stack.end(first)
            stack.told_of(first)

        stack.strikes.due, stack.strikes.step = Strike("overtake", effect), ends
        stack.tell(schedule_id, NOW + 2 * HOUR, stack.struck)
        struck += stack.strikes.struck
        assert len(stack.batches) == (2 if stack.strikes.struck else 1)  # without any sweep
    assert "overtake before wait" in struck


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", ["kill", "fail"])
def test_wherever_the_making_of_a_schedule_is_struck_there_is_one_or_none_and_the_sweep_puts_it_on_the_clock(
    kind: str, after: bool
) -> None:
    for effect in range(effects_of(lambda stack, _: _create(stack, "key-1"))):
        stack = Stack()
        stack.strikes.due = Strike(kind, effect, after=after)
        with suppress(Killed, BatchyardError):
            _create(stack, "key-1")
        made = requests.create_schedule(stack.plain, "default", stack.members, of_schedule, "key-1")
        assert [*stack.plain.schedule_clock.on] == [made["id"]]
        with pytest.raises(ApiError, match="another schedule"):
            requests.create_schedule(stack.plain, "default", {**stack.members, "name": "x"}, of_schedule, "key-1")


def _create(stack: Stack, key: str | None = None) -> None:
    requests.create_schedule(stack.struck, "default", stack.members, of_schedule, key)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keys", [(None, None), ("a", "b"), (None, "b")])
def test_two_calls_that_make_the_same_schedule_make_one_wherever_the_first_is_struck(
    keys: tuple[str | None, str | None], kind: str, after: bool
) -> None:
    for effect in range(6):
        stack = Stack()
        second: list[dict[str, Any]] = []

        def other(stack: Stack = stack, second: list[dict[str, Any]] = second) -> None:
            second.append(requests.create_schedule(stack.plain, "default", stack.members, of_schedule, keys[1]))

        stack.strikes.due, stack.strikes.step = Strike(kind, effect, after=after), other
        first = None
        with suppress(Killed, BatchyardError):
            first = requests.create_schedule(stack.struck, "default", stack.members, of_schedule, keys[0])
        other()
        assert len({each["id"] for each in second}) == 1
        assert first is None or first["id"] == second[0]["id"]
        shown = requests.list_schedules(stack.plain, "default", None, None)["data"]
        assert [each["id"] for each in shown] == [second[-1]["id"]]
        stack.plain.wait(UNDER_WAY)
        stack.sweep()
        assert [*stack.plain.schedule_clock.on] == [second[-1]["id"]]
        with pytest.raises(ApiError, match="which has other members"):
            requests.create_schedule(stack.plain, "default", {**stack.members, "schedule": "rate(1 day)"}, of_schedule)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("meanwhile", ["change", "delete"])
def test_wherever_a_change_is_struck_the_clock_has_the_times_of_the_record_in_the_end(
    meanwhile: str, kind: str, after: bool
) -> None:
    struck = 0
    for effect in range(6):
        stack = Stack()
        schedule_id = stack.schedule()

        def other(stack: Stack = stack, schedule_id: str = schedule_id) -> None:
            if meanwhile == "delete":
                requests.delete_schedule(stack.plain, "default", schedule_id)
            else:
                _change(stack.plain, schedule_id, schedule="rate(3 hours)", metadata={"by": "the other"})

        stack.strikes.due, stack.strikes.step = Strike(kind, effect, after=after), other
        done = False
        with suppress(Killed, BatchyardError):
            done = bool(_change(stack.struck, schedule_id, schedule="rate(2 hours)", name="changed"))
        struck += len(stack.strikes.struck)
        stack.plain.wait(UNDER_WAY)
        stack.sweep()
        kept = stack.plain.schedule_store.known[schedule_id]
        if kept.deleted_at is not None:
            assert stack.plain.schedule_clock.on == {}
            continue
        assert stack.plain.schedule_clock.times == {schedule_id: (kept.expression, "UTC")}
        assert (kept.on_clock, kept.doubted_at) == (True, None)
        changed = kept.name == "changed"
        assert changed or not done
        assert changed == (kept.expression == "rate(2 hours)") or kind == "overtake"  # whole, or not at all
    assert struck == 5


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("meanwhile", ["change", "delete", "create", "sweep"])
@pytest.mark.parametrize("who", ["change", "change of what was left", "sweep"])
def test_whoever_is_overtaken_and_then_dies_the_clock_has_the_times_of_the_record_in_the_end(
    who: str, meanwhile: str, after: bool
) -> None:
    deaths = set()
    for overtaken, effect, then in product((False, True), range(6), range(3)):
        stack = Stack()
        schedule_id = stack.schedule()
        if who != "change":
            _leave_a_change(stack, schedule_id)

        def other(stack: Stack = stack, schedule_id: str = schedule_id, then: int = then) -> None:
            _do(meanwhile, stack, stack.plain, schedule_id, 3)
            stack.strikes.due = Strike("kill", then, after=after, sure=False)

        stack.strikes.due, stack.strikes.step = Strike("overtake", effect, after=overtaken, sure=False), other
        with suppress(Killed, BatchyardError):
            _do(who.partition(" ")[0], stack, stack.struck, schedule_id, 2)
        deaths |= {*stack.strikes.struck[1:]}
        stack.strikes.due = None
        stack.plain.wait(UNDER_WAY)
        stack.sweep()
        kept = stack.plain.schedule_store.known[schedule_id]
        times = {} if kept.deleted_at is not None else {schedule_id: (kept.expression, "UTC")}
        assert stack.plain.schedule_clock.times == times, (effect, then, stack.strikes.struck)
        assert kept.deleted_at is not None or (kept.on_clock, kept.doubted_at) == (True, None)
    assert f"kill {'after' if after else 'before'} put" in deaths


def _leave_a_change(stack: Stack, schedule_id: str) -> None:
    """Have a change die once the clock has its times."""
    stack.strikes.due = Strike("kill", 3, after=True)
    with suppress(Killed):
        _change(stack.struck, schedule_id, schedule="rate(5 hours)")
    assert stack.strikes.struck.pop() == "kill after put"
    stack.plain.wait(UNDER_WAY)


def _do(what: str, stack: Stack, services: MemoryServices, schedule_id: str, hours: int) -> None:
    match what:
        case "change":
            _change(services, schedule_id, schedule=f"rate({hours} hours)")
        case "delete":
            requests.delete_schedule(services, "default", schedule_id)
        case "create":
            with suppress(ApiError):  # it is another schedule by now
                requests.create_schedule(services, "default", stack.members, of_schedule)
        case "sweep":
            stack.sweep(services)


def _change(services: MemoryServices, schedule_id: str, **members: Any) -> dict[str, Any]:
    return changes.change_schedule(services, "default", schedule_id, members, of_schedule)


def test_a_call_that_fails_takes_no_schedule_back_that_another_call_has_answered_with() -> None:
    stack = Stack()
    ids: list[str] = []
    put = stack.plain.schedule_clock.put

    def fails(*_: object) -> None:
        stack.plain.schedule_clock.put = put  # type: ignore[method-assign]
        ids.append(stack.schedule())
        raise StoreError("the clock has not answered")

    stack.plain.schedule_clock.put = fails  # type: ignore[assignment, method-assign]
    with pytest.raises(StoreError, match="not answered"):
        stack.schedule()
    assert [*stack.plain.schedule_clock.on] == ids
    assert stack.schedule() == ids[0]


@pytest.mark.parametrize("sees_it_deleted", [True, False])
def test_a_name_that_becomes_free_while_it_is_asked_for_is_taken(sees_it_deleted: bool) -> None:
    stack = Stack()
    store, first = stack.plain.schedule_store, stack.schedule()
    create = store.create

    def deleted_meanwhile(schedule: Any, most: int) -> Any:
        store.create = create  # type: ignore[method-assign]
        found = create(schedule, most)
        requests.delete_schedule(stack.plain, "default", first)
        return store.schedule("default", found.schedule_id) if sees_it_deleted and found else None

    store.create = deleted_meanwhile  # type: ignore[method-assign]
    second = stack.schedule()
    assert second != first
    assert [*stack.plain.schedule_clock.on] == [second]


def test_a_call_whose_schedule_is_taken_back_by_the_one_that_recorded_it_makes_its_own() -> None:
    stack = Stack()
    requests.create_schedule(stack.plain, "default", {**stack.members, "name": "x"}, of_schedule)
    put, ids = stack.plain.schedule_clock.put, []

    def recorded_and_taken_back(schedule: Any, start: int | None) -> None:
        """Take the schedule back while another call, which found it by its name, puts it on the clock."""
        stack.plain.schedule_clock.put = put  # type: ignore[method-assign]
        put(schedule, start)
        ids.append(schedule.schedule_id)
        assert stack.plain.schedule_store.delete(schedule, NOW, NOW + HOUR, if_off_clock=True)

    stack.plain.schedule_clock.put = recorded_and_taken_back  # type: ignore[method-assign]
    made = stack.schedule()
    assert made not in ids
    stack.sweep()
    assert made in stack.plain.schedule_clock.on
    assert ids[0] not in stack.plain.schedule_clock.on


@pytest.mark.parametrize("after", [False, True])
def test_a_schedule_that_was_left_off_the_clock_or_on_it_is_mended_by_the_sweep(after: bool) -> None:
    making = effects_of(lambda stack, _: _create(stack))
    deleting = effects_of(lambda stack, made: requests.delete_schedule(stack.struck, "default", made))
    for effect in range(max(making, deleting)):
        stack = Stack()
        stack.strikes.due = Strike("kill", effect, after=after) if effect < making else None
        with suppress(Killed):
            _create(stack)
        stack.plain.wait(UNDER_WAY)
        stack.sweep()
        known = [*stack.plain.schedule_store.known]
        assert [*stack.plain.schedule_clock.on] == known
        for schedule_id in known:
            stack.strikes.due = Strike("kill", effect, after=after) if effect < deleting else None
            with suppress(Killed):
                requests.delete_schedule(stack.struck, "default", schedule_id)
            requests.delete_schedule(stack.plain, "default", schedule_id)
            stack.sweep()
            assert stack.plain.schedule_clock.on == {}
            assert stack.tell(schedule_id, stack.plain.now()) is None
        assert stack.batches == []


def test_a_run_by_hand_that_is_struck_and_repeated_is_one_batch() -> None:
    for effect in range(effects_of(lambda stack, made: requests.run_schedule(stack.struck, "default", made, "once"))):
        stack = Stack()
        schedule_id = stack.schedule()
        stack.strikes.due = Strike("kill", effect)
        with suppress(Killed):
            requests.run_schedule(stack.struck, "default", schedule_id, "once")
        stack.plain.wait(MINUTE)
        requests.run_schedule(stack.plain, "default", schedule_id, "once")
        stack.plain.wait(UNDER_WAY)
        stack.sweep()
        assert len(stack.batches) == 1


@pytest.mark.parametrize("seed", range(50))
def test_whatever_comes_in_any_order_each_time_is_one_batch_or_none_and_no_two_run_at_once(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a walk that can be repeated
    stack = Stack(overlap=chance.choice(["skip", "queue"]))
    schedule_id = stack.schedule()
    for _ in range(60):
        hours = (stack.plain.now() - NOW) // HOUR
        if chance.random() < 0.4:
            stack.strikes.due = Strike(chance.choice(KINDS), chance.randrange(12), chance.random() < 0.5, sure=False)
            stack.strikes.step = stack.sweep
        with suppress(Killed, BatchyardError):
            _play(chance, stack, schedule_id, hours)
        running = [each for each in stack.plain.batch_store.batches.values() if not each.ended]
        assert len(running) <= 1
    stack.strikes.due = None
    stack.end_all()
    stack.plain.wait(2 * HOUR)
    stack.sweep()
    stack.end_all()
    stack.sweep()
    _check(stack, schedule_id)


def _play(chance: random.Random, stack: Stack, schedule_id: str, hours: int) -> None:
    match chance.choice(["tell", "tell", "tell", "wait", "wait", "sweep", "end", "told", "run"]):
        case "tell":
            stack.tell(schedule_id, NOW + HOUR * max(1, hours - chance.choice([0, 0, 0, 1, 3])), stack.struck)
        case "wait":
            stack.plain.wait(chance.choice([MINUTE, 20 * MINUTE, HOUR, HOUR, 5 * HOUR]))
        case "sweep":
            stack.sweep(stack.struck)
        case "end":
            stack.end_all()
        case "told" if stack.batches:
            stack.told_of(chance.choice(stack.batches[-2:]), stack.struck)
        case "run":
            requests.run_schedule(stack.struck, "default", schedule_id)


def _check(stack: Stack, schedule_id: str) -> None:
    """Hold records against batches: each batch is that of one firing, and whatever fired has ended."""
    store = stack.plain.schedule_store
    made = [each.batch_id for each in store.fired.values() if each.batch_id]
    assert sorted(made) == sorted(stack.batches)
    assert {each.state for each in store.fired.values()} <= {"ended"}
    assert store.known[schedule_id].open is None
    due = (stack.plain.now() - LATE - OURS) // HOUR
    assert store.known[schedule_id].fired_for >= OURS + due * HOUR
    times = sorted(each.at for each in store.fired.values() if each.by_clock)
    assert all(later - earlier > HOUR // 2 for earlier, later in pairwise(times))  # no time has fired twice
    firings = [batch.firing for batch in stack.plain.batch_store.batches.values()]
    assert len(set(firings)) == len(firings)
    assert json.dumps([each["schedule"] for each in batches_of(stack, schedule_id)]).count(schedule_id) == min(
        20, len(made)
    )


def test_a_batch_that_was_made_is_that_of_its_firing_though_its_object_has_gone_since() -> None:
    stack = Stack()
    schedule_id = stack.schedule()
    stack.plain.wait(HOUR)
    stack.strikes.due = Strike("kill", _effects_until(stack, "create_batch"), after=True)
    with suppress(Killed):
        stack.tell(schedule_id, NOW + HOUR, stack.struck)
    assert stack.strikes.struck == ["kill after create_batch"]
    del stack.plain.bucket.stored[KEY]
    assert [stack.tell(schedule_id, NOW + HOUR)] == stack.batches
    assert stack.plain.executions.started == stack.batches


def _effects_until(stack: Stack, name: str) -> int:
    """Count the effects of a firing before the first of this name, on another stack."""
    trial = Stack(**{member: value for member, value in stack.members.items() if member not in BODY})
    schedule_id = trial.schedule()
    trial.plain.wait(HOUR)
    for effect in range(EFFECTS):
        trial.strikes.due = Strike("fail", effect)
        with suppress(BatchyardError):
            trial.tell(schedule_id, NOW + HOUR, trial.struck)
        if trial.strikes.struck and trial.strikes.struck[-1].endswith(f" {name}"):
            return effect
        trial = Stack(**{member: value for member, value in stack.members.items() if member not in BODY})
        schedule_id = trial.schedule()
        trial.plain.wait(HOUR)
    raise AssertionError(f"no firing has the effect {name}")


def test_of_two_workers_that_decide_otherwise_the_first_decision_holds() -> None:
    stack = Stack()
    schedule_id = stack.schedule()
    stack.plain.wait(HOUR)
    first = stack.tell(schedule_id, NOW + HOUR)
    stack.plain.wait(HOUR)

    def overtake() -> None:
        stack.end_all()
        stack.plain.wait(UNDER_WAY)
        stack.sweep()

    slow = stack.plain.schedule_store.end
    stack.strikes.step = overtake
    stack.struck.schedule_store.end = stack.strikes.around("end", slow)  # type: ignore[method-assign]
    stack.strikes.due = Strike("overtake", 5)  # it decided that there is none, as the batch before still ran
    ended = stack.tell(schedule_id, NOW + 2 * HOUR, stack.struck)
    assert stack.strikes.struck == ["overtake before end"]
    assert stack.batches == [first, ended]
    assert stack.plain.schedule_store.known[schedule_id].last_batch_id == ended


def test_a_firing_that_waits_when_its_schedule_is_deleted_is_none_and_the_schedule_goes() -> None:
    stack = Stack(overlap="queue")
    schedule_id = stack.schedule()
    for hour in (1, 2):
        stack.plain.wait(HOUR)
        stack.tell(schedule_id, NOW + hour * HOUR)
    store = stack.plain.schedule_store
    assert store.known[schedule_id].waits_for is not None
    requests.delete_schedule(stack.plain, "default", schedule_id)
    stack.end_all()
    stack.sweep()
    stack.sweep()
    assert len(stack.batches) == 1
    assert {each.state for each in store.fired.values()} == {"ended"}
    assert [*store.all()] == []
