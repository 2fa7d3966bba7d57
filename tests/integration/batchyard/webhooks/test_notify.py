"""The end of a batch on the real table and Step Functions: one execution an endpoint, by its name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from batchyard.domain.errors import StaleRecord
from batchyard.webhooks.notify import notify
from tests.integration.batchyard.webhooks.registered import EVENT, private, register

if TYPE_CHECKING:
    from batchyard.services import Services
    from tests.fakes.world import World


@pytest.fixture
def services(world: World) -> Services:
    return private(world)


def test_the_end_of_a_batch_starts_one_execution_for_each_endpoint(services: Services) -> None:
    register(services, "http://127.0.0.1:9/")
    register(services, "http://127.0.0.1:9/", "batch.expired")
    ended = {
        "input_file_id": "file-x",
        "id": EVENT.batch_id,
        "tenant": "default",
        "status": "completed",
        "completed_at": EVENT.created_at,
    }
    (name,) = notify(services, ended)
    assert notify(services, ended) == [name]
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=services.settings.webhook_state_machine_arn)
    assert [each["name"] for each in listed["executions"]] == [name]


def test_the_pointer_of_an_upload_is_written_once_and_the_newest_batch_wins(services: Services) -> None:
    source = "inbox/default/a.jsonl"
    key = f"results/default/by-input/{source}.json"
    ended = {
        "input_file_id": f"s3://{services.settings.bucket}/{source}", "tenant": "default", "status": "failed", "failed_at": 9,
    }  # fmt: skip
    for batch_id, created_at in (("batch_b", 2), ("batch_b", 2), ("batch_c", 3), ("batch_a", 1)):
        notify(services, {**ended, "id": batch_id, "created_at": created_at})
    assert json.loads(services.bucket.get(key))["batch_id"] == "batch_c"
    with pytest.raises(StaleRecord):
        services.bucket.replace(key, b"{}", None)
    with pytest.raises(StaleRecord):
        services.bucket.replace(key, b"{}", '"of another"')
