"""What is sent: OpenAI's event, signed as its own SDK and the reference implementation of Standard Webhooks verify it."""

import base64
import hashlib
import hmac
import json
import time

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from batchyard.domain.webhook_delivery import DeliveryRequest, event_of, headers
from batchyard.domain.webhook_endpoint import EVENT_TYPES, secret_of
from tests.fakes.batches import BATCH_ID, NOW

SECRET, OLD, OTHER = (secret_of("root", "we_1", generation) for generation in (3, 2, 1))
EVENT = event_of(BATCH_ID, "batch.completed", NOW)
LONGEST_NAME = 80  # of an execution


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_openai_s_sdk_unwraps_every_event(event_type: str) -> None:
    event = event_of(BATCH_ID, event_type, NOW)
    client = OpenAI(api_key="made-up", webhook_secret=SECRET)
    read = client.webhooks.unwrap(event.body(), headers(event, [SECRET], time.time()))
    assert (read.type, read.id, read.created_at, read.data.id) == (event_type, event.event_id, NOW, BATCH_ID)  # type: ignore[union-attr]  # some events of others have no id
    assert json.loads(event.body())["object"] == "event"


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_while_a_secret_is_rotated_the_receiver_may_know_either(secret: str) -> None:
    signed = headers(EVENT, [SECRET, OLD], time.time())
    assert Webhook(secret).verify(EVENT.body(), signed) == json.loads(EVENT.body())


def test_nobody_else_s_secret_verifies_it() -> None:
    signed = headers(EVENT, [SECRET, OLD], time.time())
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(EVENT.body(), signed)
    with pytest.raises(InvalidWebhookSignatureError):
        OpenAI(api_key="made-up", webhook_secret=OTHER).webhooks.unwrap(EVENT.body(), signed)


def test_the_signature_is_of_id_time_and_body() -> None:
    signed = headers(EVENT, [SECRET], NOW + 0.9)
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    text = f"{EVENT.event_id}.{NOW}.".encode() + EVENT.body()
    assert signed["webhook-signature"] == f"v1,{base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()}"
    assert (signed["webhook-id"], signed["webhook-timestamp"]) == (EVENT.event_id, str(NOW))


def test_an_event_told_again_has_its_id_and_each_end_of_each_batch_another() -> None:
    assert event_of(BATCH_ID, "batch.completed", NOW + 9).event_id == EVENT.event_id
    others = {event_of(BATCH_ID, "batch.failed", NOW).event_id, event_of("batch_2", "batch.completed", NOW).event_id}
    assert len({*others, EVENT.event_id}) == 3


def test_an_execution_may_have_the_name_of_an_order() -> None:
    assert len(DeliveryRequest("acme", f"we_{'0' * 32}", EVENT).name) <= LONGEST_NAME
