"""Schedules of a deployed stack, by plain HTTP: the clock of the engine fires them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from tests.system.processes import eventually
from tests.system.running_stack import TENANT, RunningStack, jsonl, request


class Api:
    """The routes of schedules."""

    def __init__(self, stack: RunningStack) -> None:
        self.base, self.headers = stack.doors["base_url"], {"Authorization": f"Bearer {stack.doors['api_key']}"}

    def __call__(self, method: str, path: str = "", body: Any = None) -> Any:
        url = f"{self.base}/schedules{path}"
        answer = httpx.request(method, url, json=body, headers=self.headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @contextmanager
    def schedule(self, **members: Any) -> Iterator[str]:
        """Have a schedule while the block lasts."""
        made = self("POST", "", {"name": "s", "endpoint": "/v1/chat/completions", **members})["id"]
        yield made
        for _ in range(2):
            assert self("DELETE", f"/{made}")["deleted"]


def in_tokyo(moment: int) -> str:
    return datetime.fromtimestamp(moment, ZoneInfo("Asia/Tokyo")).strftime("at(%Y-%m-%dT%H:%M:%S)")


def test_the_clock_fires_a_schedule_once_for_its_time_with_the_newest_version(stack: RunningStack) -> None:
    api, key = Api(stack), f"files/{TENANT}/by-the-clock.jsonl"
    put = partial(stack.clients.s3.put_object, Bucket=stack.doors["bucket"], Key=key)
    put(Body=jsonl([request(1)]))
    moment = int(time.time()) + 4
    with api.schedule(schedule=in_tokyo(moment), timezone="Asia/Tokyo", input={"key": key}) as schedule_id:
        newest = put(Body=jsonl([request(1), request(2)]))["VersionId"]
        assert api("GET")["data"][0]["id"] == schedule_id
        fired = eventually(lambda: api("GET", f"/{schedule_id}/batches")["data"] or None, 30)
        batch_id = fired[0]["id"]
        assert stack.ended(batch_id).status == "completed"
        assert len(stack.results(batch_id).output) == 2
        record: Any = stack.table.get_item(Key={"pk": f"BATCH#{batch_id}", "sk": "BATCH"})["Item"]
        assert record["input"]["version_id"] == newest
        shown = api("GET", f"/{schedule_id}")
        assert (shown["next_firing_at"], shown["last_firing"]["batch_id"]) == (None, batch_id)
        assert shown["last_firing"]["scheduled_for"] == moment


def test_a_schedule_whose_times_are_changed_fires_at_the_new_ones(stack: RunningStack) -> None:
    api, key = Api(stack), f"files/{TENANT}/changed.jsonl"
    stack.clients.s3.put_object(Bucket=stack.doors["bucket"], Key=key, Body=jsonl([request(1)]))
    with api.schedule(schedule="at(2099-01-01T00:00:00)", input={"key": key}) as schedule_id:
        moment = int(time.time()) + 4
        shown = api("POST", f"/{schedule_id}", {"schedule": in_tokyo(moment), "timezone": "Asia/Tokyo"})
        assert (shown["id"], shown["next_firing_at"]) == (schedule_id, moment)
        (batch,) = eventually(lambda: api("GET", f"/{schedule_id}/batches")["data"] or None, 30)
        assert api("GET", f"/{schedule_id}")["last_firing"]["scheduled_for"] == moment
        assert stack.ended(batch["id"]).status == "completed"


def test_a_schedule_is_run_by_hand_and_its_batch_outlives_it(stack: RunningStack) -> None:
    api, key = Api(stack), f"inbox/{TENANT}/by-hand.jsonl"
    first = stack.batch_of("by-hand.jsonl", stack.drop("by-hand.jsonl", jsonl([request(3)])))
    with api.schedule(schedule="rate(1 day)", input={"key": key}, metadata={"who": "clock"}) as schedule_id:
        assert api("POST", f"/{schedule_id}/run")["state"] == "began"
        (batch,) = eventually(lambda: api("GET", f"/{schedule_id}/batches")["data"] or None, 30)
    assert batch["id"] != first
    assert (batch["schedule"], batch["metadata"]) == (schedule_id, {"who": "clock"})
    assert stack.ended(batch["id"]).status == "completed"
    assert api("GET")["data"] == []


def test_a_schedule_gathers_a_folder(stack: RunningStack) -> None:
    api, folder = Api(stack), f"gather/{TENANT}/by-the-clock/"
    for name in ("a", "b"):
        body = jsonl([request(1), request(2)])
        stack.clients.s3.put_object(Bucket=stack.doors["bucket"], Key=f"{folder}{name}.jsonl", Body=body)
    with api.schedule(schedule="rate(1 day)", input={"prefix": folder}, min_lines=100) as schedule_id:
        api("POST", f"/{schedule_id}/run")
        (batch,) = eventually(lambda: api("GET", f"/{schedule_id}/batches")["data"] or None, 30)
        assert stack.ended(batch["id"]).status == "completed"
        assert len(stack.results(batch["id"]).output) == 4


def test_a_firing_that_waits_begins_when_the_batch_before_it_ends(stack: RunningStack) -> None:
    """Here the bus of the engine reads the rule of the template; the sweep comes once in a minute."""
    api, key = Api(stack), f"files/{TENANT}/one-after-the-other.jsonl"
    stack.clients.s3.put_object(Bucket=stack.doors["bucket"], Key=key, Body=jsonl([request(1)]))
    with api.schedule(schedule="rate(1 day)", input={"key": key}, overlap="queue") as schedule_id:
        api("POST", f"/{schedule_id}/run")
        (first,) = eventually(lambda: api("GET", f"/{schedule_id}/batches")["data"] or None, 30)
        api("POST", f"/{schedule_id}/run")
        found = eventually(lambda: len(both := api("GET", f"/{schedule_id}/batches")["data"]) == 2 and both, 60)
        assert (found[1]["id"], found[1]["status"]) == (first["id"], "completed")
        assert 0 <= found[0]["created_at"] - found[1]["completed_at"] <= 15
