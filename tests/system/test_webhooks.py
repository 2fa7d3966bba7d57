"""The provider tells that a batch has ended, long before anybody would have looked."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from local.run.records import read_progress
from tests.system.processes import eventually, up
from tests.system.running_stack import RunningStack, jsonl, request

SECRET = "whsec_c2lnbmVkIGJ5IHRoZSBwcm92aWRlcg=="
HOUR = "3600"


@pytest.fixture
def patient() -> Iterator[RunningStack]:
    """A stack that looks at a provider batch once an hour."""
    waits = {"BATCHYARD_POLL_FLOOR_SECONDS": HOUR, "BATCHYARD_POLL_CEILING_SECONDS": HOUR}
    with up(BATCHYARD_PROVIDER_WEBHOOK_SECRET=SECRET, **waits) as doors:
        yield RunningStack(doors)


def ended_provider_batch(stack: RunningStack) -> str | None:
    ledger = httpx.get(stack.doors["provider_url"].removesuffix("/v1") + "/_emulator/ledger").json()["data"]
    return next((str(each["id"]) for each in ledger if each["status"] == "completed"), None)


def told(stack: RunningStack, provider_batch_id: str, secret: str = SECRET) -> httpx.Response:
    """Send the provider's webhook."""
    body = json.dumps({"id": "evt_1", "type": "batch.completed", "created_at": 1, "data": {"id": provider_batch_id}})
    now = datetime.now(UTC)
    headers = {
        "webhook-id": f"wh_{provider_batch_id}", "webhook-timestamp": str(int(time.time())), "content-type": "application/json",
        "webhook-signature": Webhook(secret).sign(f"wh_{provider_batch_id}", now, body),
    }  # fmt: skip
    return httpx.post(f"{stack.doors['base_url']}/webhooks/provider", content=body, headers=headers)


def test_a_webhook_has_the_batch_done_at_once(patient: RunningStack) -> None:
    version = patient.drop("told.jsonl", jsonl([request(number) for number in range(3)]))
    batch_id = patient.batch_of("told.jsonl", version)
    provider_batch_id = eventually(lambda: ended_provider_batch(patient))
    assert told(patient, provider_batch_id, "whsec_Zm9yZ2VkIGJ5IHNvbWVib2R5IGVsc2U=").status_code == 400
    assert told(patient, provider_batch_id).json() == {"received": True}
    patient.ended(batch_id)
    assert len(patient.results(batch_id).output) == 3


@pytest.fixture
def of_bedrock() -> Iterator[RunningStack]:
    """A stack that looks at a provider batch once an hour, and hears of the jobs of Amazon Bedrock."""
    waits = {"BATCHYARD_POLL_FLOOR_SECONDS": HOUR, "BATCHYARD_POLL_CEILING_SECONDS": HOUR}
    with up(BATCHYARD_BEDROCK="true", **waits) as doors:
        yield RunningStack(doors)


def put_job_event(stack: RunningStack, job: str, status: str = "Completed") -> None:
    """Tell the bus of the account that a job has changed, as Amazon Bedrock does."""
    arn = f"arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/{job}"
    detail = json.dumps({"batchJobArn": arn, "batchJobName": "j", "status": status})
    kind = "Batch Inference Job State Change"
    entry = {"Source": "aws.bedrock", "DetailType": kind, "Detail": detail, "Resources": [arn]}
    assert stack.clients.other("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_the_event_of_a_job_has_the_batch_done_at_once(of_bedrock: RunningStack) -> None:
    version = of_bedrock.drop("told.jsonl", jsonl([request(number) for number in range(3)]))
    batch_id = of_bedrock.batch_of("told.jsonl", version)
    provider_batch_id = eventually(lambda: ended_provider_batch(of_bedrock))
    put_job_event(of_bedrock, "nobodys00000")
    put_job_event(of_bedrock, provider_batch_id, "InProgress")
    time.sleep(2)
    assert not read_progress(of_bedrock.table, batch_id).ended
    for _ in range(2):
        put_job_event(of_bedrock, provider_batch_id)
    of_bedrock.ended(batch_id)
    assert len(of_bedrock.results(batch_id).output) == 3
