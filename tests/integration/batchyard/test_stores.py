"""AWS fails at any one of its API calls: throttled, failing, or with an answer that is lost after the effect."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from batchyard.adapters import aws
from tests.fakes.batches import BUCKET
from tests.fakes.endings import EndingsProvider, answering
from tests.fakes.lines import jsonl, request
from tests.integration.batchyard.redelivery import check, first_answers, run_whole, same_adapters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.world import World

PARTS = 12 if os.environ.get("EVERY_EFFECT") else 1  # each within a test's time on a busy machine
STRIDE = PARTS if PARTS > 1 else 47
LINES = [f"r{at}" for at in range(10)]
THROTTLED = {
    "s3": (503, "SlowDown"), "dynamodb": (400, "ProvisionedThroughputExceededException"),
    "stepfunctions": (400, "ThrottlingException"), "events": (400, "ThrottlingException"),
}  # fmt: skip


class Storm:
    """Counts the API calls and lets one of them fail, past what botocore itself tries again."""

    def __init__(self) -> None:
        self.at, self.count, self.kind = 0, 0, ""

    def before(self, model: Any, **_: Any) -> Any:
        self.count += 1
        if self.count != self.at or self.kind == "lost":
            return None
        failing = (500, "InternalError")
        status, code = THROTTLED[model.service_model.service_name] if self.kind == "throttled" else failing
        told = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return SimpleNamespace(status_code=status, headers={}), told

    def after(self, **_: Any) -> None:
        if self.count == self.at and self.kind == "lost":
            self.at = 0
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1")


@pytest.fixture
def storm(world: World) -> Iterator[Storm]:
    """Hook into every client that is made from here on: the services's."""
    del world  # it must be there first: its own clients are none of ours
    session = boto3.DEFAULT_SESSION
    assert session is not None
    storm, events = Storm(), session.events
    hooks: dict[str, Any] = {"before-call": storm.before, "after-call": storm.after}
    for event, hook in hooks.items():
        events.register(event, hook)
    aws.client.cache_clear()
    yield storm
    for event, hook in hooks.items():
        events.unregister(event, hook)


@pytest.mark.parametrize("first", range(1, PARTS + 1))
@pytest.mark.parametrize("kind", ["throttled", "failing", "lost"])
def test_any_call_to_aws_may_fail(world: World, storm: Storm, kind: str, first: int) -> None:
    data = jsonl([request(each, model=f"m{at % 2}") for at, each in enumerate(LINES)])
    at = first
    while True:
        world.provider = EndingsProvider(world.clock, endings=[answering(first_answers)] * 2)
        world.services = same_adapters(world)
        key = f"inbox/default/{kind}-{at}.jsonl"
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data)
        storm.at, storm.count, storm.kind = at, 0, kind
        batch_id, calls = run_whole(world, key), storm.count
        storm.at = 0  # the checker reads the ledgers, too
        check(world, batch_id, LINES)
        if calls < at:
            break
        at += STRIDE
    assert at > 60, "the run had fewer calls than a batch of two shards has"
