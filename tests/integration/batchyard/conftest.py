"""Services on moto, in this process, with a provider made of memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from batchyard.services import Services
from batchyard.settings import Settings
from tests.fakes.endings import EndingsProvider
from tests.integration.aws import empty_aws
from tests.integration.batchyard.roles import Roles, needed_by
from tests.integration.batchyard.world import BUCKET, BUS, MACHINE, REGION, SECRET, TABLE, Clock, World

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRETS = {"provider": SECRET, "webhooks": "yard-webhook-secret", "signing": "yard-signing-secret"}


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world in which every operation may do what its function may, and nothing else."""
    with empty_aws() as session:
        settings = Settings(
            bucket=BUCKET, table=TABLE, event_bus=BUS, provider_base_url="http://127.0.0.1/v1", provider_secret_id=SECRET,
            stack="stack-1", state_machine_arn=MACHINE, webhook_state_machine_arn=MACHINE.replace("batch", "webhooks"),
            cancel_function="cancel", advance_function="advance",
            provider_webhook_secret_id=SECRETS["webhooks"], signing_secret_id=SECRETS["signing"],
        )  # fmt: skip
        roles = Roles(settings, REGION)
        roles.listen(session.events)
        _build()
        clock = Clock()
        provider = EndingsProvider(clock)
        yield World(Services(settings, provider, clock, lambda: 0.5), provider, clock, roles)
        assert roles.denied == []
        assert needed_by(request.node) <= roles.used, "uses.toml names this test for what it does not need"


def _build() -> None:
    s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    keys: list[Any] = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    index: list[Any] = [{"AttributeName": "gsi1pk", "KeyType": "HASH"}, {"AttributeName": "gsi1sk", "KeyType": "RANGE"}]
    unsettled: list[Any] = [
        {"AttributeName": "unsettled", "KeyType": "HASH"},
        {"AttributeName": "pk", "KeyType": "RANGE"},
    ]
    open_for: list[Any] = [
        {"AttributeName": "open_for", "KeyType": "HASH"},
        {"AttributeName": "pk", "KeyType": "RANGE"},
    ]
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=keys,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("pk", "sk", "gsi1pk", "gsi1sk", "unsettled", "open_for")
        ],
        GlobalSecondaryIndexes=[
            {"IndexName": "by_tenant", "KeySchema": index, "Projection": {"ProjectionType": "ALL"}},
            {"IndexName": "unsettled", "KeySchema": unsettled, "Projection": {"ProjectionType": "KEYS_ONLY"}},
            {"IndexName": "open_for", "KeySchema": open_for, "Projection": {"ProjectionType": "KEYS_ONLY"}},
        ],
    )
    boto3.client("events").create_event_bus(Name=BUS)
    for owner, name in SECRETS.items():
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=f"made-up-of-{owner}")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    for name in ("batch", "webhooks"):
        boto3.client("stepfunctions").create_state_machine(
            name=name, definition=definition, roleArn="arn:aws:iam::123456789012:role/r"
        )
