"""A schedule is changed: what may be, what stays, and what becomes of a firing that is under way."""

from typing import Any

import pytest
from msgspec.structs import replace

from batchyard.adapters.stores.schedule_record import Schedule
from batchyard.api.batches import of_schedule
from batchyard.domain.errors import ApiError, StaleRecord
from batchyard.domain.numbers import DAY, HOUR, MINUTE
from batchyard.recovery.missed_firings import see_to_schedules
from batchyard.recovery.sweep_run import SweepRun
from batchyard.schedules import requests, upkeep
from batchyard.schedules.changes import change_schedule
from batchyard.schedules.rules import body_of
from batchyard.schedules.trigger import trigger
from tests.fakes.batches import NOW
from tests.fakes.services import MemoryServices

KEY, FOLDER = "inbox/default/daily.jsonl", "gather/default/tickets/"
EVERY: dict[str, Any] = {
    "name": "tickets", "schedule": "cron(0 2 * * ? *)", "timezone": "Europe/Berlin", "input": {"prefix": FOLDER},
    "endpoint": "*", "metadata": {"who": "me"}, "max_cost_usd": 2.5, "on_invalid": "skip", "overlap": "queue",
    "hours": "22:00-06:00", "min_lines": 2, "min_bytes": 3, "start_at_lines": 40, "start_at_bytes": 50, "max_wait": 600,
    "accept": {"not_empty": True, "finish_reason": ["stop"]}, "completion_window": "24h",
    "output_expires_after": {"anchor": "created_at", "seconds": 86_400},
}  # fmt: skip
THRESHOLDS = ("min_lines", "min_bytes", "start_at_lines", "start_at_bytes", "max_wait")
HOURLY: dict[str, Any] = {
    "name": "hourly", "schedule": "rate(1 hour)", "timezone": "UTC", "input": {"key": KEY}, "hours": None,
    "endpoint": "/v1/chat/completions", **dict.fromkeys(THRESHOLDS),
}  # fmt: skip
DRAWN = ("created_at", "next_firing_at", "waits_for", "last_firing", "id", "object")


@pytest.fixture
def services() -> MemoryServices:
    made = MemoryServices()
    made.bucket.put(KEY, b'{"custom_id": "1"}\n')
    return made


def made(services: MemoryServices, **members: Any) -> str:
    return str(requests.create_schedule(services, "default", {**EVERY, **members}, of_schedule)["id"])


def changed(services: MemoryServices, schedule_id: str, body: Any) -> dict[str, Any]:
    return change_schedule(services, "default", schedule_id, body, of_schedule)


def tell(services: MemoryServices, schedule_id: str, at: str) -> str | None:
    return trigger(services, {"tenant": "default", "schedule_id": schedule_id, "scheduled_at": f"2026-09-{at}Z"})


def sweep(services: MemoryServices) -> list[str | None]:
    see_to_schedules(SweepRun(services, lambda: 600.0))
    asked, services.trigger_function.invoked = services.trigger_function.invoked, []
    return [trigger(services, event) for event in asked]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "others"), ("schedule", "rate(1 day)"), ("timezone", "UTC"), ("input", {"prefix": "gather/default/x/"}),
        ("endpoint", "/v1/responses"), ("metadata", {"a": "b"}), ("max_cost_usd", 3.0), ("on_invalid", "refuse"),
        ("overlap", "skip"), ("hours", "20:00-23:00"), ("min_lines", 4), ("min_bytes", 5), ("start_at_lines", 60),
        ("start_at_bytes", 70), ("max_wait", 700), ("accept", {"not_empty": True}), ("dry_run", True),
        ("output_expires_after", {"anchor": "created_at", "seconds": 90_000}),
    ],
)  # fmt: skip
def test_each_member_is_changed_alone(services: MemoryServices, name: str, value: Any) -> None:
    early = {} if name != "dry_run" else dict.fromkeys(("start_at_lines", "start_at_bytes", "max_wait"))
    schedule_id = made(services, **early)
    before = requests.retrieve_schedule(services, "default", schedule_id)
    after = changed(services, schedule_id, {name: value})
    assert {each: after[each] for each in after if after[each] != before.get(each) and each not in DRAWN} == {
        name: value
    }
    assert requests.retrieve_schedule(services, "default", schedule_id) == after


def test_what_is_shown_is_what_makes_the_same_schedule_and_changes_nothing(services: MemoryServices) -> None:
    schedule_id = made(services)
    kept = services.schedule_store.known[schedule_id]
    shown = {
        name: value
        for name, value in requests.retrieve_schedule(services, "default", schedule_id).items()
        if name not in DRAWN
    }
    assert shown == EVERY == body_of(kept)
    assert changed(services, schedule_id, shown)["id"] == schedule_id
    assert services.schedule_store.known[schedule_id] == kept
    assert made(services) == schedule_id


@pytest.mark.parametrize(
    ("name", "then"),
    [("hours", None), ("metadata", None), ("max_cost_usd", "left out"), ("overlap", "skip"), ("timezone", "UTC"),
     ("min_lines", "left out"), ("completion_window", "24h")],
)  # fmt: skip
def test_null_is_as_if_a_member_had_not_been_named(services: MemoryServices, name: str, then: str | None) -> None:
    schedule_id = made(services)
    after = changed(services, schedule_id, {name: None})
    assert after.get(name, "left out" if then else None) == then
    assert services.schedule_store.known[schedule_id].name == "tickets"


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ([], None, "must be a JSON object"), ({"schedule": "daily"}, "schedule", "it must be like"),
        ({"name": None}, "name", "Missing"),
        ({"schedule": "at(2020-01-01T00:00:00)"}, "schedule", "is over"), ({"endpoint": None}, "endpoint", "Missing"),
        ({"houres": "x"}, "houres", "Did you mean 'hours'"), ({"min_lines": 41}, "start_at_lines", "at least 'min_lines'"),
        ({"input": {"key": KEY}, "min_lines": 4}, "min_lines", "goes with a folder"),
        ({"dry_run": True}, "start_at_lines", "dry_run"),
    ],
)  # fmt: skip
def test_a_change_is_held_to_the_rules_of_a_new_schedule_and_refused_whole(
    services: MemoryServices, body: Any, param: str | None, says: str
) -> None:
    schedule_id = made(services)
    kept = services.schedule_store.known[schedule_id]
    with pytest.raises(ApiError, match=says) as caught:
        changed(services, schedule_id, body)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert services.schedule_store.known[schedule_id] == kept


def test_one_object_in_the_place_of_a_folder_has_no_thresholds(services: MemoryServices) -> None:
    after = changed(services, made(services), {"input": {"key": KEY}})
    assert (after["input"], "min_lines" in after, after["hours"]) == ({"key": KEY}, False, EVERY["hours"])


def test_a_name_of_another_schedule_is_refused_and_ones_own_is_freed(services: MemoryServices) -> None:
    one, two = made(services), made(services, name="two")
    with pytest.raises(ApiError, match=two) as caught:
        changed(services, one, {"name": "two", "hours": None})
    assert (caught.value.status, caught.value.code) == (409, "schedule_exists")
    assert services.schedule_store.known[one].hours == EVERY["hours"]
    changed(services, two, {"name": "three"})
    assert changed(services, one, {"name": "two"})["name"] == "two"


def test_what_is_not_there_is_not_changed(services: MemoryServices) -> None:
    schedule_id = made(services)
    for tenant, named in (("other", schedule_id), ("default", "sched_1")):
        with pytest.raises(ApiError, match="No schedule found"):
            change_schedule(services, tenant, named, {"hours": None}, of_schedule)
    requests.delete_schedule(services, "default", schedule_id)
    with pytest.raises(ApiError, match="No schedule found"):
        changed(services, schedule_id, {"hours": None})


def test_new_times_count_from_the_change_and_none_before_it_is_caught_up(services: MemoryServices) -> None:
    schedule_id = made(services, **HOURLY)  # made at 14:13
    services.wait(HOUR + 7 * MINUTE)
    changed(services, schedule_id, {"schedule": "cron(0 15 * * ? *)", "timezone": "UTC"})  # at 15:20
    assert services.schedule_clock.times[schedule_id] == ("cron(0 15 * * ? *)", "UTC")
    services.wait(HOUR)
    assert sweep(services) == []
    assert tell(services, schedule_id, "21T15:00:00") is None  # the engine of a machine may tell a time that is past
    after = changed(services, schedule_id, {"schedule": "rate(2 hours)"})  # at 16:20
    assert after["next_firing_at"] == NOW - NOW % MINUTE + 4 * HOUR + 7 * MINUTE
    assert services.schedule_clock.on[schedule_id] == after["next_firing_at"]
    services.wait(2 * HOUR)
    assert tell(services, schedule_id, "21T18:20:00") is not None


def test_a_clock_that_tells_other_times_fires_nothing_and_is_put_right(services: MemoryServices) -> None:
    schedule_id = made(services, **HOURLY)
    changed(services, schedule_id, {"schedule": "cron(0 2 * * ? *)", "timezone": "UTC"})
    services.schedule_clock.times[schedule_id] = ("rate(1 hour)", "UTC")  # as a slow call left it
    for hour in (15, 16):
        services.wait(HOUR)
        assert tell(services, schedule_id, f"21T{hour}:13:00") is None
    assert services.batch_store.batches == {}
    assert sweep(services) == []
    assert services.schedule_clock.times[schedule_id] == ("cron(0 2 * * ? *)", "UTC")
    services.wait(DAY // 2)
    assert tell(services, schedule_id, "22T02:00:10") is not None


def test_times_that_aws_refuses_leave_the_schedule_as_it_was(services: MemoryServices) -> None:
    schedule_id = made(services)
    services.schedule_clock.refuses_changes = "Invalid Schedule Expression cron(1 2 * * ? *)."
    with pytest.raises(ApiError, match="cannot be read: Invalid Schedule Expression") as caught:
        changed(services, schedule_id, {"schedule": "cron(1 2 * * ? *)", "hours": None})
    assert caught.value.status == 400
    kept = services.schedule_store.known[schedule_id]
    assert (kept.expression, kept.hours, kept.on_clock) == ("cron(0 2 * * ? *)", EVERY["hours"], True)
    assert services.schedule_clock.times[schedule_id] == ("cron(0 2 * * ? *)", "Europe/Berlin")


def test_a_firing_that_waits_becomes_a_batch_of_the_new_members(services: MemoryServices) -> None:
    schedule_id = made(services, **{**HOURLY, "hours": "22:00-23:00"})
    services.wait(HOUR)
    assert tell(services, schedule_id, "21T15:13:00") is None
    services.bucket.put("inbox/default/other.jsonl", b'{"custom_id": "other"}\n')
    changed(services, schedule_id, {"input": {"key": "inbox/default/other.jsonl"}, "hours": None})
    (batch_id,) = sweep(services)
    assert services.batch_store.batch(batch_id or "").input.key == "inbox/default/other.jsonl"


def test_a_batch_that_is_being_made_is_made_as_it_was_decided(services: MemoryServices) -> None:
    schedule_id = made(services, **HOURLY)
    services.wait(HOUR)
    head = services.bucket.head

    def dies(key: str) -> Any:
        services.bucket.head = head  # type: ignore[method-assign]
        raise KeyboardInterrupt(key)

    services.bucket.head = dies  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        tell(services, schedule_id, "21T15:13:00")
    changed(services, schedule_id, {"input": {"key": "inbox/default/other.jsonl"}, "metadata": {"new": "yes"}})
    batch = services.batch_store.batch(tell(services, schedule_id, "21T15:13:00") or "")
    assert (batch.input.key, batch.metadata) == (KEY, EVERY["metadata"])
    services.batch_store.batches[batch.batch_id] = replace(batch, status="completed")
    services.wait(HOUR)
    assert tell(services, schedule_id, "21T16:13:00") is None  # the other object is not there


def test_a_delete_that_meets_a_new_name_deletes_and_frees_the_name(services: MemoryServices) -> None:
    schedule_id = made(services)
    store = services.schedule_store
    delete = store.delete

    def slow(*told: Any) -> bool:
        store.delete = delete  # type: ignore[method-assign]
        changed(services, schedule_id, {"name": "renamed"})
        return delete(*told)

    store.delete = slow  # type: ignore[assignment, method-assign]
    requests.delete_schedule(services, "default", schedule_id)
    assert store.known[schedule_id].deleted_at is not None
    assert (requests.list_schedules(services, "default", None, None)["data"], services.schedule_clock.on) == ([], {})
    assert made(services, name="renamed") != schedule_id


def test_a_delete_that_meets_new_names_without_end_says_so_and_leaves_the_schedule_whole(
    services: MemoryServices,
) -> None:
    schedule_id = made(services)
    services.schedule_store.delete = lambda *_: False  # type: ignore[method-assign]
    with pytest.raises(StaleRecord, match="many at once"):
        requests.delete_schedule(services, "default", schedule_id)
    assert schedule_id in services.schedule_clock.on
    assert [each.schedule_id for each in services.schedule_store.all()] == [schedule_id]


def clock_is_right_or_doubted(services: MemoryServices, schedule_id: str) -> bool:
    kept = services.schedule_store.known[schedule_id]
    return services.schedule_clock.times[schedule_id][0] == kept.expression or kept.doubted_at is not None


def test_an_older_copy_of_the_sweep_gives_the_clock_no_times_that_stay(services: MemoryServices) -> None:
    schedule_id, store = made(services, **HOURLY), services.schedule_store
    store.doubt_clock(store.known[schedule_id], services.now())
    services.wait(HOUR)
    old = store.known[schedule_id]
    changed(services, schedule_id, {"schedule": "cron(0 2 * * ? *)"})
    assert not upkeep.mend(services, old)  # read again, it is right
    assert services.schedule_clock.times[schedule_id][0] == "cron(0 2 * * ? *)"
    with pytest.raises(StaleRecord):
        upkeep.put_on(services, old)  # it was changed behind that
    assert store.known[schedule_id].doubted_at == services.now()
    services.wait(HOUR)
    sweep(services)
    assert services.schedule_clock.times[schedule_id][0] == store.known[schedule_id].expression == "cron(0 2 * * ? *)"


def test_who_gives_the_clock_old_times_while_a_change_goes_on_is_found_by_the_change(services: MemoryServices) -> None:
    schedule_id, clock = made(services, **HOURLY), services.schedule_clock
    put = clock.put

    def create_comes_again(schedule: Any, start: int | None) -> None:
        clock.put = put  # type: ignore[method-assign]
        put(schedule, start)
        assert made(services, **HOURLY) == schedule_id

    clock.put = create_comes_again  # type: ignore[method-assign]
    changed(services, schedule_id, {"schedule": "cron(0 2 * * ? *)"})
    kept = services.schedule_store.known[schedule_id]
    assert (clock.times[schedule_id][0], kept.on_clock, kept.doubted_at) == ("cron(0 2 * * ? *)", True, None)


def test_of_two_changes_at_once_one_that_puts_the_clock_back_is_found_by_the_other(services: MemoryServices) -> None:
    schedule_id, store = made(services, **HOURLY), services.schedule_store
    change = store.change

    def put_back_first(doubted: Schedule, new: Schedule, now: int) -> Schedule:
        store.change = change  # type: ignore[method-assign]
        upkeep.put_on(services, store.known[schedule_id])  # as the other change does, which has found this one
        return change(doubted, new, now)

    store.change = put_back_first  # type: ignore[assignment, method-assign]
    changed(services, schedule_id, {"schedule": "cron(0 3 * * ? *)"})
    kept = store.known[schedule_id]
    assert kept.expression == "cron(0 3 * * ? *)"
    assert clock_is_right_or_doubted(services, schedule_id)


def test_a_schedule_that_fires_though_it_is_deleted_and_gone_is_taken_off_by_the_sweep(
    services: MemoryServices,
) -> None:
    schedule_id = made(services, **HOURLY)
    old = services.schedule_store.known[schedule_id]
    services.wait(HOUR)
    requests.delete_schedule(services, "default", schedule_id)
    assert [*services.schedule_store.all()] == []
    services.schedule_clock.put(old, None)  # a process of before, which dies
    assert tell(services, schedule_id, "21T15:13:00") is None
    sweep(services)
    assert (services.schedule_clock.on, [*services.schedule_store.all()]) == ({}, [])
