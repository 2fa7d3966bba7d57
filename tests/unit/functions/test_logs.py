"""One batch is followed through all logs by its id: every door logs it, under one name, whenever it works on the batch."""

import importlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchyard import services
from batchyard.api.batches import of_schedule
from batchyard.domain import webhook_delivery
from batchyard.domain.api_key import ApiKey, digest
from batchyard.domain.numbers import HOUR
from batchyard.observability import logger
from batchyard.schedules import requests
from tests.fakes.batches import BUCKET
from tests.fakes.services import MemoryAdapters
from tests.fakes.world import World, memory_world
from tests.unit.functions.test_events import KEY as KEY_OF_API
from tests.unit.functions.test_events import Context
from tests.unit.template.documents import functions, resources, state_machine, walk
from tests.unit.template.published import lines

KEY = "inbox/default/in.jsonl"
UPLOADED = {"detail": {"bucket": {"name": BUCKET}, "object": {"key": KEY}}}
FIRED = {"detail": {"bucket": {"name": BUCKET}, "object": {"key": "gather/default/tickets/RUN"}}}
Door = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = memory_world(notify_on="completed")
    monkeypatch.setattr(services, "current", lambda: made.services)
    made.backing.put(KEY, lines(2), {})
    return made


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str], world: World) -> Iterator[Door]:  # noqa: ARG001 - the door works on it
    """Call a door, and return what it logged, lines of metrics among them."""
    before = logger.handlers[:]
    handler = logging.StreamHandler()
    handler.setFormatter(before[0].formatter)
    logger.handlers[:] = [handler]

    def call(door: str, event: dict[str, Any]) -> list[dict[str, Any]]:
        capsys.readouterr()
        handler.stream = sys.stdout  # which pytest exchanges between fixture and test
        answers[door] = importlib.import_module(f"functions.{door}.handler").handler(event, Context(door))
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield call
    logger.handlers[:] = before


answers: dict[str, Any] = {}


def follow(lines: list[dict[str, Any]], batch_id: str) -> list[dict[str, Any]]:
    """Return the lines of a door about a batch; there is one at least that says which door it was and what happened."""
    found = [line for line in lines if line.get("batch_id") == batch_id]
    assert [line for line in found if line.get("function_name") and line.get("message")], lines
    return found


def test_the_firing_of_a_folder_logs_the_id_of_its_batch(world: World, logged: Door) -> None:
    for name in ("RUN", "a.jsonl"):
        world.backing.put(f"gather/default/tickets/{name}", lines(2), {})
    printed = logged("gather", FIRED)
    (batch_id,) = answers["gather"]["batch_ids"]
    follow(printed, batch_id)


def test_every_step_of_a_batch_from_its_upload_to_its_end_logs_its_id(world: World, logged: Door) -> None:
    begun = logged("intake", UPLOADED)
    (batch_id,) = answers["intake"]["batch_ids"]
    follow(begun, batch_id)
    whole = follow(logged("plan", {"batch_id": batch_id}), batch_id)
    step = {"batch_id": batch_id, "shard": 0}
    doors = []
    while step.get("next") != "done":
        doors.append(step.get("next", "submit"))
        printed = logged(doors[-1], step)
        found = follow(printed, batch_id)
        assert found == printed  # metrics, too: each line is of this batch
        assert {line["shard"] for line in found} == {0}
        whole += found
        step, world.clock.now = answers[doors[-1]], world.clock.now + step.get("wait_seconds", 0)
    assert set(doors) == {"submit", "poll", "collect"}
    assert follow(logged("assemble", {"batch_id": batch_id}), batch_id)[-1]["status"] == "completed"
    assert {"planned", "step"} <= {line.get("message") for line in whole}
    assert {"upload", "create", "look", "download"} <= {line.get("call") for line in whole}


def test_what_is_done_to_a_batch_beside_its_steps_logs_its_id(world: World, logged: Door) -> None:
    batch_id = world.drop(lines(2))
    world.run_until_submitted(batch_id)
    follow(logged("advance", {"batch_id": batch_id, "shard": 0}), batch_id)
    failed = {"batch_id": batch_id, "shard": 0, "execution": batch_id, "run": 1, "error": {"Error": "StoreError"}}
    follow(logged("fail", failed), batch_id)
    follow(logged("fail", {"batch_id": batch_id, "error": {"Error": "States.Runtime"}}), batch_id)
    follow(logged("cancel", {"batch_id": batch_id}), batch_id)
    world.services.executions.start(batch_id, {})
    follow(logged("sweep", {}), batch_id)


def test_the_batch_of_a_schedule_is_logged_with_its_id_and_the_schedule(world: World, logged: Door) -> None:
    body = {"name": "n", "schedule": "rate(1 hour)", "input": {"key": KEY}, "endpoint": "/v1/chat/completions"}
    schedule_id = requests.create_schedule(world.services, "default", body, of_schedule)["id"]
    at = datetime.fromtimestamp(world.services.now() + HOUR, UTC).isoformat()
    printed = logged("trigger", {"tenant": "default", "schedule_id": schedule_id, "scheduled_at": at})
    found = follow(printed, answers["trigger"]["batch_id"])
    assert {line["schedule_id"] for line in found} == {schedule_id}


def test_what_tenants_are_told_of_a_batch_logs_its_id(world: World, logged: Door) -> None:
    batch_id = world.drop(lines(2))
    assert world.run(batch_id) == "done"
    assert isinstance(world.services, MemoryAdapters)
    detail = json.loads(world.services.event_bus.details[-1])
    assert (detail["id"], detail["status"]) == (batch_id, "completed")
    follow(logged("notify", {"id": "event-1", "detail": detail}), batch_id)
    told_people = {"id": "event-1", "detail-type": "Batch Completed", "detail": detail}
    follow(logged("inform", told_people), batch_id)
    event = webhook_delivery.event_of(batch_id, "batch.completed", world.services.now())
    world.services.webhook_store.begin(webhook_delivery.new(event, "default", "we_1", world.services.now()))
    told = {"tenant": "default", "endpoint_id": "we_1", "event": msgspec.to_builtins(event)}
    follow(logged("deliver", told), batch_id)


def test_a_call_of_the_api_about_a_batch_logs_its_id_with_what_it_logs(world: World, logged: Door) -> None:
    assert isinstance(world.services, MemoryAdapters)
    key_id, secret, salt = *KEY_OF_API.split("_")[1:], "salt"
    key = ApiKey(key_id=key_id, tenant="default", created_at=1, salt=salt, hash=digest(salt, secret))
    world.services.api_key_store.create(key)
    batch_id = world.drop(lines(2))
    world.services.batch_store.batches[batch_id] = "no record"  # type: ignore[assignment]  # a record that nobody can read
    request = {"method": "GET", "path": f"/v1/batches/{batch_id}"}
    event = {
        "version": "2.0", "rawPath": request["path"], "headers": {"authorization": f"Bearer {KEY_OF_API}"},
        "requestContext": {"http": request}, "isBase64Encoded": False,
    }  # fmt: skip
    follow(logged("api", event), batch_id)
    access = resources("AWS::Serverless::HttpApi")["HttpApi"]["AccessLogSettings"]["Format"]
    assert "$context.path" in access  # what goes well stands there


def test_every_door_was_called_here_and_the_names_of_executions_begin_with_the_id() -> None:
    source = Path(__file__).read_text("utf-8")
    for name in functions():
        door = name.removesuffix("Function").lower()
        assert f'logged("{door}"' in source or door in {"submit", "poll", "collect"}
    shards = [
        each["Parameters"] for each in walk(state_machine("batch")) if "StateMachineArn" in each.get("Parameters", ())
    ]
    assert len(shards) == 2
    assert all(each["Name.$"].startswith("States.Format('{}-shard-{}-run-{}', $.execution,") for each in shards)
