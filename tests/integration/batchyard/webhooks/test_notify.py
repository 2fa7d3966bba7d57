"""The end of a batch on the real table and Step Functions: one execution an endpoint, by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest

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
    ended = {"id": EVENT.batch_id, "tenant": "default", "status": "completed", "completed_at": EVENT.created_at}
    (name,) = notify(services, ended)
    assert notify(services, ended) == [name]
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=services.settings.webhook_state_machine_arn)
    assert [each["name"] for each in listed["executions"]] == [name]
