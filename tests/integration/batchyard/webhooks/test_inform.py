"""Notifications on the real table, Step Functions, SNS and Secrets Manager; a queue stands where a person's mailbox is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from msgspec.structs import replace

from batchyard.domain.batch import BatchError
from batchyard.domain.errors import BatchyardError
from batchyard.domain.numbers import HOUR
from batchyard.domain.webhook_delivery import DELIVERED, DeliveryRequest, WebhookEvent, new
from batchyard.services import Services
from batchyard.webhooks.deliver import deliver
from batchyard.webhooks.inform import inform
from tests.fakes.batches import batch
from tests.fakes.moto import SECRETS, TOPIC
from tests.integration.batchyard.receiver import receiving
from tests.unit.batchyard.webhooks.test_notification import detail

if TYPE_CHECKING:
    from tests.fakes.world import World


def notifying(world: World, **settings: object) -> Services:
    given = {"notify_chat": "slack", "webhooks_to_private_addresses": "true", **settings}
    return Services(replace(world.services.settings, **given), world.provider, world.clock)


@pytest.fixture
def mailbox(world: World) -> str:  # noqa: ARG001 - the topic is there
    """A queue that subscribes to the topic, as a mail address would."""
    sqs = boto3.client("sqs")
    url: str = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
    subscribe(url)
    return url


def subscribe(url: str) -> None:
    wanted = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    boto3.client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=wanted["Attributes"]["QueueArn"])


def mails(url: str) -> list[dict[str, Any]]:
    found = boto3.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(each["Body"]) for each in found]


def test_a_batch_that_failed_is_told_by_mail_with_its_reason_and_in_the_chat_once(world: World, mailbox: str) -> None:
    services = notifying(world)
    services.batch_store.create_batch(batch(errors=[BatchError("invalid_json", "Line 3 is no JSON.")], errors_total=1))
    sns = boto3.client("sns")
    sns.delete_topic(TopicArn=TOPIC)
    with pytest.raises(BatchyardError):  # after the chat, and before the mail
        inform(services, "Batch Failed", detail("batch-failed"))
    sns.create_topic(Name=TOPIC.rpartition(":")[2])
    subscribe(mailbox)
    told = inform(services, "Batch Failed", detail("batch-failed"))
    assert inform(services, "Batch Failed", detail("batch-failed")) == told
    (mail,) = mails(mailbox)
    assert mail["Subject"] == f"Batchyard: {detail('batch-failed')['id']} has failed"
    assert "Why: Line 3 is no JSON." in mail["Message"]
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=services.settings.webhook_state_machine_arn)
    assert [each["name"] for each in listed["executions"]] == [f"{told}-chat"]


def test_two_workers_at_once_count_one_notification_and_the_hour_is_bounded(world: World, mailbox: str) -> None:
    services = notifying(world, notify_chat="", max_notifications_per_hour=2)
    store, now = services.webhook_store, services.now()
    assert store.take_notification("evt_a", now) == store.take_notification("evt_a", now + 9)
    for at in range(5):
        inform(services, "Batch Paused", detail("batch-paused", id=f"batch_{at}"))
    assert len(mails(mailbox)) == 1
    assert store.take_notification("evt_b", now + HOUR).number == 1


def test_the_chat_gets_the_words_at_the_address_that_is_stored(world: World) -> None:
    services = notifying(world)
    with receiving() as receiver:
        boto3.client("secretsmanager").put_secret_value(SecretId=SECRETS["chat"], SecretString=receiver.url)
        data = json.dumps(
            {"kind": "paused", "event_id": "evt_a", "batch_id": None, "title": "t", "sentences": ["s"], "link": "l"}
        )
        event = WebhookEvent("evt_a", "notification.paused", None, services.now(), data)
        services.webhook_store.begin(new(event, "", "chat", services.now()))
        assert deliver(services, DeliveryRequest("", "chat", event)) == DELIVERED
        assert json.loads(receiver.got[0][2]) == {"text": "*t*\ns\n<l>"}
