"""Every door under Lambda's own runtime client, at DEBUG: no secret, no prompt and no answer is printed.

One batch is played through the doors, each a process of its own; a second one is cancelled, and a third one fails. Then the
provider refuses its key, and each door that talks to the provider says so.
"""

from __future__ import annotations

import json
import sys
import time
from base64 import b64decode, b64encode
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import boto3
import httpx
import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from batchyard.adapters.stores.api_key_store import ApiKeyStore
from batchyard.api import api_keys
from batchyard.domain import webhook_delivery
from batchyard.settings import Settings
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.moto import SECRETS, SETTINGS, TABLE, MotoBacking, empty_aws
from tests.integration.batchyard.receiver import Receiver, receiving
from tests.integration.functions.lambda_runtime import Door, running
from tests.integration.functions.moto_server import moto_server
from tests.system.processes import ROOT, admin, own_provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="Lambda's runtime client has no wheels for other systems"
)

PROVIDER_KEY: Final = "sk-made-up-provider-key-0123456789"
OF_PROVIDER: Final = "whsec_" + b64encode(b"what the provider signs with").decode()
SIGNING: Final = "made-up-signing-secret-0123456789"
AWS_SECRET: Final = "made-up-secret-access-key-0123456789"
PROMPT: Final = "a prompt that nobody else may read"
DOORS: Final = sorted(path.parent.name for path in ROOT.glob("functions/*/handler.py"))
EVERYTHING: Final = {
    "AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "DEBUG", "POWERTOOLS_LOG_LEVEL": "DEBUG",
    "POWERTOOLS_SERVICE_NAME": "stack-1", "POWERTOOLS_METRICS_NAMESPACE": "Batchyard",
}  # fmt: skip


@dataclass
class Doors:
    """All doors of one stack, each started when it is first used; what each printed, and which secrets there are."""

    variables: Mapping[str, str]
    folder: Path
    started: ExitStack
    receiver: Receiver
    provider: Mapping[str, str]
    secrets: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    _open: dict[str, Door] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Door:
        if name not in self._open:
            log = self.started.enter_context((self.folder / f"{name}.log").open("w+"))
            self._open[name] = self.started.enter_context(running(name, self.variables, log))
        return self._open[name]

    def call(self, method: str, path: str, body: str = "", **headers: str) -> Any:
        """Call the HTTP API with the tenant's key."""
        http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.17", "userAgent": "t"}
        given = {"authorization": f"Bearer {self.secrets['API key']}", "content-type": "application/json", **headers}
        context = {"http": http, "stage": "$default", "routeKey": "$default", "requestId": "r", "timeEpoch": 1}
        event = {
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": given,
            "requestContext": context, "isBase64Encoded": False, "body": body,
        }  # fmt: skip
        answer = self["api"].invoke(event)
        assert answer["statusCode"] == 200, answer
        text = answer["body"]
        return json.loads(b64decode(text) if answer["isBase64Encoded"] else text)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """All doors, after they have done all that they do."""
    with stack(tmp_path_factory.mktemp("doors")) as doors:
        register(doors)
        end_well(doors)
        end_badly(doors)
        be_refused(doors)
        for name in DOORS:
            doors.errors[name] = doors[name].fail([])  # no event is a list
            doors.printed[name] = doors[name].printed()
        yield doors


@contextmanager
def stack(folder: Path) -> Iterator[Doors]:
    """Have an AWS, a provider and a tenant's endpoint, to which no door has spoken yet."""
    with ExitStack() as started:
        MotoBacking(started.enter_context(empty_aws()))
        secrets = {"provider": PROVIDER_KEY, "webhooks": OF_PROVIDER, "signing": SIGNING}
        for owner, text in secrets.items():
            boto3.client("secretsmanager").put_secret_value(SecretId=SECRETS[owner], SecretString=text)
        provider = started.enter_context(own_provider("--api-key", PROVIDER_KEY, "--seconds-per-batch", "0.2"))
        settings = msgspec.structs.replace(
            SETTINGS, provider_base_url=provider["PROVIDER_BASE_URL"], webhooks_to_private_addresses="true"
        )
        aws = {
            "AWS_ENDPOINT_URL": started.enter_context(moto_server()), "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": AWS_SECRET, "AWS_SESSION_TOKEN": "made-up-session-token",
        }  # fmt: skip
        ours = {each.name.upper(): str(getattr(settings, each.name)) for each in msgspec.structs.fields(Settings)}
        receiver = started.enter_context(receiving())
        yield Doors({**aws, **ours, **EVERYTHING}, folder, started, receiver, provider, {
            "provider key": PROVIDER_KEY, "webhook secret": OF_PROVIDER.removeprefix("whsec_"), "signing secret": SIGNING,
            "AWS key": AWS_SECRET, "AWS token": "made-up-session-token", "prompt": PROMPT, "answer": "You asked",
            "link": "X-Amz-Signature=",
        })  # fmt: skip


def register(doors: Doors) -> None:
    """Make an API key and an endpoint that is told of every end."""
    doors.secrets["API key"] = api_keys.create(ApiKeyStore(TABLE), "default")
    wanted = {"name": "n", "url": doors.receiver.url, "event_types": ["batch.completed", "batch.cancelled"]}
    made = doors.call("POST", "/v1/webhook_endpoints", json.dumps(wanted))
    doors.secrets["secret of the endpoint"] = made["signing_secret"].removeprefix("whsec_")


def drop(doors: Doors, key: str) -> str:
    """Upload an input, and have a batch made and planned of it."""
    body = jsonl([request(PROMPT, note=key)])
    version = boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)["VersionId"]
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key, "version-id": version}}
    (batch_id,) = doors["intake"].invoke({"detail": detail})["batch_ids"]
    assert doors["plan"].invoke({"batch_id": batch_id})["next"] == "run"
    return str(batch_id)


def end_well(doors: Doors) -> None:
    """Play a batch to its end, and tell the endpoint."""
    batch_id = drop(doors, "inbox/default/well.jsonl")
    step: dict[str, Any] = {"batch_id": batch_id, "shard": 0, "next": "submit"}
    until = time.monotonic() + 30
    while step["next"] != "done":
        assert time.monotonic() < until, step
        step = doors[step["next"]].invoke(step)
    assert doors["assemble"].invoke({"batch_id": batch_id})["next"] == "done"
    ended = doors.call("GET", f"/v1/batches/{batch_id}")
    assert doors.call("GET", f"/v1/files/{ended['output_file_id']}/content")["custom_id"] == PROMPT
    doors["notify"].invoke({"id": "evt-1", "detail": {**ended, "tenant": "default"}})
    event = webhook_delivery.event_of(batch_id, "batch.completed", ended["completed_at"])
    (endpoint,) = doors.call("GET", "/v1/webhook_endpoints")["data"]
    given = {"tenant": "default", "endpoint_id": endpoint["id"], "event": msgspec.to_builtins(event)}
    assert doors["deliver"].invoke(given) == {"state": "delivered"}
    ((_, headers, _),) = doors.receiver.got
    doors.secrets["signature"] = headers["webhook-signature"].removeprefix("v1,")


def end_badly(doors: Doors) -> None:
    """Cancel a batch, have another one fail, and hear of a third one from the provider."""
    cancelled, failed, told = (drop(doors, f"inbox/default/{name}.jsonl") for name in ("cancelled", "failed", "told"))
    for batch_id in (cancelled, failed, told):
        doors["submit"].invoke({"batch_id": batch_id, "shard": 0, "next": "submit"})
    doors.call("POST", f"/v1/batches/{cancelled}/cancel")
    assert doors["cancel"].invoke({"batch_id": cancelled})["cancelled"] == 1
    doors["fail"].invoke({"batch_id": failed, "error": {"Error": "Killed", "Cause": "c"}})
    body, now = json.dumps({"type": "batch.completed", "data": {"id": "batch_1"}}), datetime.now(UTC)
    signature = Webhook(OF_PROVIDER).sign("wh_1", now, body)
    headers = {
        "webhook-id": "wh_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    doors.call("POST", "/v1/webhooks/provider", body, **headers)
    doors["advance"].invoke({"batch_id": told, "shard": 0})


def be_refused(doors: Doors) -> None:
    """Have the provider refuse the key, of which each door that talks to the provider then has something to say."""
    batch_id = drop(doors, "inbox/default/refused.jsonl")
    asked = httpx.post(admin(doors.provider, "scenario"), json={"api_key": "another key"}, timeout=60)
    assert asked.status_code == 200
    submitted = doors["submit"].invoke({"batch_id": batch_id, "shard": 0, "next": "submit"})
    assert submitted["next"] == "submit"
    doors["advance"].invoke({"batch_id": batch_id, "shard": 0})
    assert doors["sweep"].invoke({"detail-type": "Scheduled Event"})["ProviderFailures"] > 0
    assert "Incorrect API key" in doors.call("GET", f"/v1/batches/{batch_id}")["paused"]


@pytest.mark.parametrize("name", DOORS)
def test_a_door_prints_no_secret_no_prompt_and_no_answer(doors: Doors, name: str) -> None:
    printed = doors.printed[name]
    assert doors.errors[name] in printed  # what a door prints is heard
    assert [secret for secret, text in doors.secrets.items() if text in printed] == []


@pytest.mark.parametrize("name", DOORS)
def test_no_library_speaks_through_a_door(doors: Doors, name: str) -> None:
    lines = [json.loads(line) for line in doors.printed[name].splitlines()]
    others = [line for line in lines if line.get("service") not in {"batchyard", "stack-1"}]
    assert [line.get("errorType") for line in others] == [doors.errors[name]]  # that line is Lambda's own
