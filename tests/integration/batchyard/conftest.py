"""One yard on moto, in this process, with a provider made of memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from batchyard.settings import Settings
from batchyard.yard import Yard
from tests.integration.batchyard.world import BUCKET, BUS, REGION, SECRET, TABLE, Clock, Provider, World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", REGION)):
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        state_machine = _build()
        clock = Clock()
        settings = Settings(
            bucket=BUCKET, table=TABLE, event_bus=BUS, provider_base_url="http://127.0.0.1/v1", provider_secret_id=SECRET,
            stack="stack-1", state_machine_arn=state_machine, cancel_function="cancel",
        )  # fmt: skip
        provider = Provider(clock)
        yard = Yard(settings, provider, clock, lambda: 0.5)
        yield World(yard, provider, clock)


def _build() -> str:
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
    boto3.client("secretsmanager").create_secret(Name=SECRET, SecretString="sk-made-up")
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    made = boto3.client("stepfunctions").create_state_machine(
        name="batch", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/r"
    )
    return made["stateMachineArn"]
