"""What the doors make of the samples of schedules."""

import json
from pathlib import Path
from typing import Any

import pytest

from batchyard.adapters.stores.schedule_record import Firing, Schedule
from batchyard.domain.numbers import DAY, HOUR
from tests.fakes.batches import NOW
from tests.fakes.planned import INPUT
from tests.fakes.services import MemoryServices
from tests.unit.functions.test_events import UPLOAD, at_hand, body, call, samples

__all__ = ["at_hand"]  # the fixture

SCHEDULE_ID = "sched_6f0d8b7c11a54c2e9d1a7d1f8f5ae2c4"
BY_HAND = "1795166047#run-2f6f0d8b7c11a54c"
MADE = 1_795_136_400  # 2026-11-20T01:00:00Z, a day before which it was made


@pytest.fixture
def known(at_hand: MemoryServices) -> Schedule:
    made = Schedule(
        schedule_id=SCHEDULE_ID, tenant="default", name="nightly", expression="cron(0 2 * * ? *)", timezone="Europe/Berlin",
        created_at=MADE - DAY + HOUR, fired_for=MADE - DAY + HOUR, input_key=UPLOAD, completion_window="24h",
        members="{}", digest="digest", overlap="skip", on_clock=True,
    )  # fmt: skip
    at_hand.schedule_store.create(made, 1)
    at_hand.batch_store.batches.clear()
    at_hand.now_is = float(MADE + 30)
    return made


@samples("api", "create-schedule")
def test_a_schedule_is_made_and_put_on_the_clock(at_hand: MemoryServices, path: Path) -> None:
    shown = body(call(path))
    asked: dict[str, Any] = json.loads(json.loads(path.read_text(encoding="utf-8"))["body"])
    assert {name: shown[name] for name in asked} == asked
    assert [*at_hand.schedule_clock.on] == [shown["id"]]
    assert shown["next_firing_at"] > NOW


@samples("api", "retrieve-schedule", "list-schedules")
def test_a_schedule_is_shown(known: Schedule, path: Path) -> None:
    shown = body(call(path))
    (schedule,) = shown["data"] if "list" in path.name else [shown]
    assert (schedule["id"], schedule["next_firing_at"]) == (known.schedule_id, MADE + DAY)


@samples("api", "change-schedule")
def test_a_schedule_is_changed_on_the_clock_too_and_once(known: Schedule, at_hand: MemoryServices, path: Path) -> None:
    answers = [body(call(path)) for _ in range(2)]
    assert answers[0] == answers[1]
    assert (answers[0]["id"], answers[0]["hours"]) == (known.schedule_id, "02:00-06:00")
    assert at_hand.schedule_clock.times[known.schedule_id] == ("cron(0 3 * * ? *)", "Europe/Berlin")


@samples("api", "delete-schedule")
def test_a_schedule_is_deleted_however_often_it_is_asked(known: Schedule, path: Path) -> None:
    assert [body(call(path)) for _ in range(2)] == [
        {"id": known.schedule_id, "object": "schedule.deleted", "deleted": True}
    ] * 2


@samples("api", "run-schedule")
def test_a_schedule_is_run_once_however_often_it_is_asked(known: Schedule, at_hand: MemoryServices, path: Path) -> None:
    answers = [body(call(path)) for _ in range(2)]
    assert answers[0] == answers[1]
    assert (answers[0]["schedule_id"], answers[0]["state"]) == (known.schedule_id, "began")
    assert len({event["firing"] for event in at_hand.trigger_function.invoked}) == 1


@samples("trigger", "scheduled", "left")
@pytest.mark.usefixtures("known")
def test_the_time_of_a_schedule_makes_one_batch_which_its_list_has(at_hand: MemoryServices, path: Path) -> None:
    at_hand.wait(HOUR)
    answers = [call(path), call(ROOT / "trigger.scheduled-time.json")]
    assert answers[0] == answers[1]
    (batch_id,) = at_hand.batch_store.batches
    assert answers[0] == {"batch_id": batch_id}
    assert at_hand.batch_store.batch(batch_id).input.size == len(INPUT)
    (shown,) = body(call(ROOT / "api.list-schedule-batches.json"))["data"]
    assert (shown["id"], shown["schedule"]) == (batch_id, SCHEDULE_ID)


@samples("trigger", "run")
def test_a_run_that_the_api_began_makes_its_batch(known: Schedule, at_hand: MemoryServices, path: Path) -> None:
    began = Firing(key=BY_HAND, began_at=at_hand.now(), expires_at_ttl=at_hand.now() + DAY)
    at_hand.schedule_store.begin(known, began)
    answers = [call(path) for _ in range(2)]
    assert answers[0] == answers[1] == {"batch_id": next(iter(at_hand.batch_store.batches))}


@samples("trigger", "batch-ended")
def test_the_end_of_a_batch_begins_the_firing_that_waits(known: Schedule, at_hand: MemoryServices, path: Path) -> None:
    waits = Firing(key=f"{MADE}", state="waiting", reason="x", began_at=MADE, expires_at_ttl=MADE + DAY)
    at_hand.schedule_store.begin(known, waits)
    answers = [call(path) for _ in range(2)]
    (batch_id,) = at_hand.batch_store.batches
    assert answers == [{"batch_id": batch_id}, {"batch_id": None}]


ROOT = Path(__file__).resolve().parents[3] / "events"
