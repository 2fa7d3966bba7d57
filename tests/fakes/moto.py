"""AWS as moto plays it, for one test at a time, and a world that stands on it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch
from uuid import uuid4

import boto3
import botocore.session
from botocore.loaders import create_loader
from moto import mock_aws
from moto.core.serialize import ResponseSerializer

from batchyard.adapters import aws
from batchyard.adapters.secrets_manager import Secret
from batchyard.domain.errors import NotFound
from batchyard.services import Services
from batchyard.settings import Settings
from tests.fakes.batches import BUCKET
from tests.fakes.endings import EndingsProvider
from tests.fakes.world import Clock, World
from tests.unit.template.documents import resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batch_client import Dialect

REGION: Final = "us-east-1"
TABLE: Final = "batchyard-table"
BUS: Final = "batchyard-bus"
MACHINE: Final = f"arn:aws:states:{REGION}:123456789012:stateMachine:batch"
SECRETS: Final = {each: f"batchyard-secret-of-{each}" for each in ("provider", "webhooks", "signing", "chat")}
TOPIC: Final = f"arn:aws:sns:{REGION}:123456789012:batchyard-notifications"
SETTINGS: Final = Settings(
    bucket=BUCKET, table=TABLE, event_bus=BUS, provider_base_url="http://127.0.0.1/v1", provider_secret_id=SECRETS["provider"],
    provider_role_arn="arn:aws:iam::123456789012:role/bedrock",
    stack="stack-1", state_machine_arn=MACHINE, webhook_state_machine_arn=MACHINE.replace("batch", "webhooks"),
    cancel_function="cancel", advance_function="advance", gather_function="gather",
    trigger_function=f"arn:aws:lambda:{REGION}:123456789012:function:trigger", schedule_group="batchyard-schedules",
    schedule_role_arn="arn:aws:iam::123456789012:role/schedules",
    dead_letters_arn=f"arn:aws:sqs:{REGION}:123456789012:dead-letters",
    provider_webhook_secret_id=SECRETS["webhooks"], signing_secret_id=SECRETS["signing"],
    chat_secret_id=SECRETS["chat"], notification_topic_arn=TOPIC, console_url="https://a.example.com/console",
)  # fmt: skip
# what of the template's table a new table is asked for with; the rest are requests of their own
OF_A_TABLE: Final = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
# botocore's descriptions of AWS: each session reads its own otherwise, which takes longer than most of the tests
_DESCRIPTIONS: Final = create_loader()

_READ_MEMBER: Final = ResponseSerializer.get_value


def _read_member(serializer: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
    """Read a member of an answer as moto does, but that of a DynamoDB value at once.

    moto looks for each of the ten members such a value may have, under each name that the member may have: a fifth of the
    time of these tests. The value is a plain dict, which has its one member under its own name.
    """
    if type(value) is dict and getattr(shape.parent, "name", None) == "AttributeValue":
        return value.get(key)
    return _READ_MEMBER(serializer, value, key, shape)


@contextmanager
def empty_aws(*, machines_run: bool = False, dynamodb: str | None = None) -> Iterator[boto3.Session]:
    """Mock AWS with nothing in it yet, and give boto3 a fresh session, which is yielded; `dynamodb` is not mocked there."""
    known = {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": REGION}
    elsewhere = {"ENDPOINT_URL_DYNAMODB": dynamodb} if dynamodb else {}
    with (
        patch.dict("os.environ", {f"AWS_{name}": value for name, value in {**known, **elsewhere}.items()}),
        mock_aws(config={"stepfunctions": {"execute_state_machine": machines_run}}),
        patch.object(ResponseSerializer, "get_value", _read_member),
    ):
        core = botocore.session.get_session()
        core.register_component("data_loader", _DESCRIPTIONS)
        if dynamodb:
            core.set_credentials(uuid4().hex, "test")  # DynamoDB Local keeps apart the tables of each access key
        boto3.setup_default_session(botocore_session=core)
        aws.client.cache_clear()  # a client knows its session for good
        assert boto3.DEFAULT_SESSION is not None
        yield boto3.DEFAULT_SESSION


class MotoBacking:
    """The real adapters on AWS as moto plays it."""

    def __init__(self, session: boto3.Session) -> None:
        self.invoked: list[Any] = []
        session.events.register("before-call.lambda.Invoke", self._invoke)
        _build()

    def services(self, provider: Dialect, clock: Callable[[], float], chance: Callable[[], float]) -> Services:
        return Services(SETTINGS, provider, clock, chance)

    def put(self, key: str, data: bytes, metadata: Mapping[str, str]) -> None:
        aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data, Metadata=dict(metadata))

    def read(self, key: str) -> bytes:
        s3 = aws.client("s3")
        try:
            found: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey as error:
            raise NotFound(key) from error
        return found

    def _invoke(self, params: Any, **_: Any) -> Any:
        """Stand where Lambda stands, which takes an asynchronous invocation in."""
        self.invoked.append(json.loads(params["body"]))
        return SimpleNamespace(status_code=HTTPStatus.ACCEPTED, headers={}), {"StatusCode": HTTPStatus.ACCEPTED}


def moto_world(session: boto3.Session) -> World:
    """Make a world on an empty AWS; its provider reads the key for each call, so that whoever calls must be allowed to."""
    clock = Clock()
    provider = EndingsProvider(clock)
    world = World(MotoBacking(session), provider, clock)
    provider.key = Secret(SETTINGS.provider_secret_id)
    return world


def _build() -> None:
    # with the clients that the adapters use later: to make a client takes longer than most of its calls
    s3, dynamodb = aws.client("s3"), aws.client("dynamodb")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    (table,) = resources("AWS::DynamoDB::Table").values()
    dynamodb.create_table(TableName=TABLE, **{name: table[name] for name in OF_A_TABLE})
    aws.client("events").create_event_bus(Name=BUS)
    aws.client("scheduler").create_schedule_group(Name=SETTINGS.schedule_group)
    aws.client("sns").create_topic(Name=TOPIC.rpartition(":")[2])
    for owner, name in SECRETS.items():
        aws.client("secretsmanager").create_secret(Name=name, SecretString=f"made-up-of-{owner}")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    for name in ("batch", "webhooks"):
        aws.client("stepfunctions").create_state_machine(
            name=name, definition=definition, roleArn="arn:aws:iam::123456789012:role/r"
        )
