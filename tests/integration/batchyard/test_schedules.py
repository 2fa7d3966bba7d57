"""Schedules on real adapters: the records, the entry of EventBridge Scheduler, and what each function is allowed."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from msgspec.structs import replace

from batchyard.adapters.stores.schedule_record import Firing, Schedule
from batchyard.api.batches import of_schedule
from batchyard.budgets.spending import CODE
from batchyard.domain.errors import NotFound, StaleRecord
from batchyard.domain.numbers import DAY, HOUR, MINUTE
from batchyard.recovery.sweep import sweep
from batchyard.schedules import changes, requests
from batchyard.schedules.trigger import trigger
from batchyard.schedules.upkeep import UNDER_WAY
from tests.fakes.batches import NOW
from tests.fakes.budgets import PRICES, give, lines, spend
from tests.fakes.gathered import FOLDER, echoing, lines_of, put
from tests.fakes.moto import SETTINGS

if TYPE_CHECKING:
    from tests.fakes.world import World

KEY = "inbox/default/daily.jsonl"
BODY: dict[str, Any] = {
    "name": "hourly", "schedule": "rate(1 hour)", "input": {"key": KEY}, "endpoint": "/v1/chat/completions",
    "metadata": {"who": "clock"}, "accept": {"finish_reason": ["stop"]},
}  # fmt: skip


def made(world: World, **members: Any) -> str:
    return str(requests.create_schedule(world.services, "default", {**BODY, **members}, of_schedule, "key")["id"])


def on_clock(schedule_id: str) -> dict[str, Any] | None:
    scheduler = boto3.client("scheduler")
    try:
        found: Any = scheduler.get_schedule(Name=schedule_id, GroupName=SETTINGS.schedule_group)
    except scheduler.exceptions.ResourceNotFoundException:
        return None
    return dict(found)


def fired(world: World, schedule_id: str, hour: int = 1) -> str | None:
    """Let the clock fire for an hour, as AWS does: the event is the input, with the time in its place."""
    world.clock.now = float(NOW + hour * HOUR + 20)
    given = (on_clock(schedule_id) or {})["Target"]["Input"]
    at = f"2026-09-21T{14 + hour}:13:20Z"
    return trigger(world.services, json.loads(given.replace("<aws.scheduler.scheduled-time>", at)))


def test_a_schedule_is_an_entry_of_the_group_that_invokes_the_function_until_it_is_deleted(world: World) -> None:
    schedule_id = made(world)
    entry = on_clock(schedule_id)
    assert entry is not None
    assert (entry["ScheduleExpression"], entry["ScheduleExpressionTimezone"]) == ("rate(1 hour)", "UTC")
    assert (entry["FlexibleTimeWindow"], entry["ActionAfterCompletion"]) == ({"Mode": "OFF"}, "DELETE")
    assert int(entry["StartDate"].timestamp()) == NOW - NOW % MINUTE + HOUR
    target = entry["Target"]
    assert (target["Arn"], target["RoleArn"]) == (SETTINGS.trigger_function, SETTINGS.schedule_role_arn)
    assert target["DeadLetterConfig"] == {"Arn": SETTINGS.dead_letters_arn}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    assert made(world) == schedule_id  # the same Idempotency-Key
    for _ in range(2):
        requests.delete_schedule(world.services, "default", schedule_id)
        assert on_clock(schedule_id) is None
    assert [*world.services.schedule_store.all()] == []
    assert world.services.schedule_store.schedules("default") == []


def test_a_delete_that_meets_a_new_name_deletes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule_id, store = made(world), world.services.schedule_store
    old = store.schedule("default", schedule_id)
    changes.change_schedule(world.services, "default", schedule_id, {"name": "renamed"}, of_schedule)
    with pytest.raises(StaleRecord):
        store.note_gone(old)  # the sweep's list keeps what is not deleted
    reads = iter([old])
    read = store.schedule
    monkeypatch.setattr(store, "schedule", lambda *whose: next(reads, None) or read(*whose))
    requests.delete_schedule(world.services, "default", schedule_id)
    assert read("default", schedule_id).deleted_at is not None
    assert (store.named("default", "renamed"), [*store.all()], on_clock(schedule_id)) == (None, [], None)


def test_the_clock_fires_for_a_batch_of_the_newest_version_and_the_api_lists_it(world: World) -> None:
    world.drop(b'{"custom_id": "old"}\n', KEY)
    schedule_id = made(world)
    world.backing.put(KEY, lines_of("new", 2), {})
    batch_id = fired(world, schedule_id)
    assert batch_id is not None
    assert fired(world, schedule_id) == batch_id
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.input.size, batch.metadata, batch.accept) == (
        len(lines_of("new", 2)),
        {"who": "clock"},
        BODY["accept"],
    )
    assert batch.input.version_id
    shown = requests.schedule_batches(world.services, "default", schedule_id, None, None)["data"]
    assert [(each["id"], each["schedule"]) for each in shown] == [(batch_id, schedule_id)]
    assert (
        requests.list_schedules(world.services, "default", None, None)["data"][0]["last_firing"]["batch_id"] == batch_id
    )


def test_a_file_of_the_api_can_be_run_by_the_clock(world: World) -> None:
    key = "files/default/daily.jsonl"
    world.backing.put(key, lines_of("x", 1), {})
    assert fired(world, made(world, input={"key": key})) is not None


def test_a_folder_is_gathered_by_the_clock_once_enough_lines_wait(world: World) -> None:
    world.provider.endings = [echoing]
    put(world, {"a.jsonl": lines_of("a", 2)})
    schedule_id = made(world, input={"prefix": FOLDER}, min_lines=3, accept=None)
    assert fired(world, schedule_id) is None
    assert (
        "2 of at least 3 lines"
        in requests.retrieve_schedule(world.services, "default", schedule_id)["last_firing"]["reason"]
    )
    put(world, {"b.jsonl": lines_of("b", 2)})
    batch_id = fired(world, schedule_id, 2)
    assert batch_id is not None
    assert world.run(batch_id) == "done"
    assert len(world.answered(batch_id, "output.jsonl")) == 4


def test_a_run_by_hand_is_begun_by_the_api_and_made_by_the_function(world: World) -> None:
    world.backing.put(KEY, lines_of("x", 1), {})
    schedule_id = made(world)
    keys = {requests.run_schedule(world.services, "default", schedule_id, "once")["scheduled_for"] for _ in range(2)}
    assert len(keys) == 1
    batches = {trigger(world.services, event) for event in world.invoked}
    assert len(batches) == 1
    assert None not in batches


def test_the_sweep_puts_a_schedule_on_the_clock_takes_one_off_and_has_what_was_missed_fired(world: World) -> None:
    world.drop(lines_of("x", 1), KEY)
    store = world.services.schedule_store
    schedule_id = made(world)
    left = replace(store.schedule("default", schedule_id), schedule_id="sched_" + "1" * 32, name="left", on_clock=False)
    assert store.create(left, 100) == left
    gone = replace(left, schedule_id="sched_" + "2" * 32, name="gone")
    assert store.create(gone, 100) == gone
    assert store.delete(gone, NOW, NOW + DAY)
    world.clock.now += UNDER_WAY + 3 * HOUR
    done = sweep(world.services)
    assert (done["SchedulesMended"], done["FiringsCaughtUp"]) == (2, 2)
    assert on_clock(left.schedule_id) is not None
    assert sorted(each.schedule_id for each in store.all()) == sorted([schedule_id, left.schedule_id])
    assert [event["schedule_id"] for event in world.invoked] == sorted([schedule_id, left.schedule_id])
    batches = [trigger(world.services, event) for event in world.invoked]
    assert len(set(batches)) == 2
    assert "FiringsCaughtUp" not in sweep(world.services)


def test_a_changed_schedule_is_changed_on_the_clock_and_one_that_was_left_is_put_right_by_the_sweep(
    world: World,
) -> None:
    store, schedule_id = world.services.schedule_store, made(world)
    change = partial(changes.change_schedule, world.services, "default", schedule_id, of_batch=of_schedule)
    shown = change(
        {"schedule": "cron(0 2 * * ? *)", "timezone": "Europe/Berlin", "name": "nightly", "hours": "01:00-05:00"}
    )
    assert (shown["id"], shown["name"], shown["metadata"]) == (schedule_id, "nightly", BODY["metadata"])
    entry = on_clock(schedule_id) or {}
    assert (entry["ScheduleExpression"], entry["ScheduleExpressionTimezone"]) == ("cron(0 2 * * ? *)", "Europe/Berlin")
    assert "StartDate" not in entry
    assert entry["Target"]["DeadLetterConfig"] == {"Arn": SETTINGS.dead_letters_arn}
    assert change({"hours": None})["hours"] is None
    seen = store.schedule("default", schedule_id)
    assert (store.named("default", "hourly"), store.named("default", "nightly")) == (None, seen)
    left = store.doubt_clock(seen, world.services.now())
    for stale in (store.note_clock, partial(store.doubt_clock, now=NOW), partial(store.change, new=seen, now=NOW)):
        with pytest.raises(StaleRecord):
            stale(seen)
    world.services.schedule_clock.put(replace(left, expression="rate(1 day)"), NOW + DAY)  # and there the call died
    world.clock.now += UNDER_WAY
    assert sweep(world.services)["SchedulesMended"] == 1
    assert (on_clock(schedule_id) or {})["ScheduleExpression"] == "cron(0 2 * * ? *)"
    noted = store.schedule("default", schedule_id)
    assert (noted.on_clock, noted.doubted_at, noted.revision) == (True, None, left.revision + 2)
    other = replace(noted, schedule_id="sched_" + "3" * 32, name="other")
    assert store.create(other, 100) == other
    with pytest.raises(StaleRecord):
        store.change(noted, replace(noted, name="other"), NOW)
    assert store.schedule("default", schedule_id) == noted


def test_every_change_of_a_schedule_holds_the_record_against_what_was_read(world: World) -> None:
    store = world.services.schedule_store
    schedule_id = made(world)
    seen = store.schedule("default", schedule_id)
    first = Firing(key=f"{NOW + HOUR:010}", began_at=NOW, expires_at_ttl=NOW + DAY)
    with pytest.raises(StaleRecord):
        store.pass_over(replace(seen, open="0000000001"), first)  # that one is under way no more
    store.begin(seen, first)
    with pytest.raises(StaleRecord):
        store.begin(seen, replace(first, key=f"{NOW + 2 * HOUR:010}"))
    now = store.schedule("default", schedule_id)
    assert (now.open, now.fired_for) == (first.key, NOW + HOUR)
    store.wait(now, first, "a reason")
    assert store.schedule("default", schedule_id).waits_for == "a reason"
    with pytest.raises(StaleRecord):
        store.make(now, first, "{}")  # it began, and waits now
    store.make(now, replace(first, state="waiting"), '{"input_key": "x"}')
    assert (store.firing(now, first.key) or first).content == '{"input_key": "x"}'
    second = replace(first, key=f"{NOW + 2 * HOUR:010}", state="ended", reason="another waits")
    store.pass_over(now, second)
    store.end(store.schedule("default", schedule_id), replace(first, state="making"), "batch_1", None)
    ended = store.schedule("default", schedule_id)
    assert (ended.open, ended.waits_for, ended.last, ended.last_batch_id) == (None, None, first.key, "batch_1")
    assert [each.key for each in store.firings_with_batch(ended, None)] == [first.key]  # the second made none
    third = replace(first, key=f"{NOW + 3 * HOUR:010}")
    store.begin(ended, third)
    store.end(store.schedule("default", schedule_id), third, "batch_3", None)
    assert [each.key for each in store.firings_with_batch(ended, None)] == [third.key, first.key]
    assert [each.key for each in store.firings_with_batch(ended, third.key)] == [first.key]
    ended = store.schedule("default", schedule_id)
    assert [each.schedule_id for each in store.all()] == [schedule_id]
    assert [*store.all(("default", schedule_id))] == []  # and none behind it
    assert store.firing(ended, "0") is None
    with pytest.raises(NotFound):
        store.schedule("other", schedule_id)
    assert store.delete(ended, NOW, NOW + DAY)
    assert not store.delete(ended, NOW, NOW + DAY)
    with pytest.raises(StaleRecord):
        store.note_clock(ended)
    with pytest.raises(StaleRecord):
        store.begin(ended, replace(first, key="0000000009"))


def test_a_tenant_has_no_more_schedules_than_it_may_whatever_comes_at_once(world: World) -> None:
    store = world.services.schedule_store
    one = Schedule(
        schedule_id="sched_" + "1" * 32, tenant="default", name="n", expression="rate(1 hour)", timezone="UTC", created_at=NOW,
        completion_window="24h", members="{}", digest="d", overlap="skip", fired_for=NOW, input_key=KEY,
    )  # fmt: skip
    assert store.create(one, 1) == one
    assert store.create(one, 1) == one  # the same request again
    two = replace(one, schedule_id="sched_" + "2" * 32, name="m")
    assert store.create(two, 1) is None
    store.delete(one, NOW, NOW + DAY)
    assert store.create(two, 1) == two


def test_a_name_is_recorded_with_its_schedule_and_freed_with_its_end(world: World) -> None:
    store = world.services.schedule_store
    schedule_id = made(world)
    one = store.schedule("default", schedule_id)
    same_name = replace(one, schedule_id="sched_" + "2" * 32, on_clock=False)
    assert store.create(same_name, 100) == store.named("default", one.name) == one
    assert [each.schedule_id for each in store.schedules("default")] == [schedule_id]
    assert store.named("other", one.name) is store.named("default", "hourl") is None
    assert not store.delete(one, NOW, NOW + DAY, if_off_clock=True)
    assert store.delete(one, NOW, NOW + DAY)
    assert store.named("default", one.name) is None
    assert store.create(same_name, 100) == same_name
    assert not store.delete(one, NOW, NOW + DAY)  # which frees no name that is another's by now
    assert store.named("default", one.name) == same_name
    assert store.delete(same_name, NOW, NOW + DAY, if_off_clock=True)


def test_a_spent_budget_refuses_the_batch_of_a_firing_and_warns(world: World) -> None:
    world.services.settings = replace(world.services.settings, price_list=PRICES)
    give(world.services, 1)
    world.drop(lines(1), KEY)  # another batch runs
    spend(world.services, 2)
    batch = world.services.batch_store.batch(fired(world, made(world)) or "")
    assert (batch.status, batch.errors[0].code) == ("failed", CODE)
