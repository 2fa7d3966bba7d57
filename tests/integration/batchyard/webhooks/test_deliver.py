"""A delivery over real records and a real socket, which openai's own client verifies, and whose worker may die anywhere."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import BaseClient
from openai import OpenAI

from batchyard.api import webhook_endpoints
from batchyard.domain.errors import DeliveryFailed
from batchyard.domain.webhook_delivery import DeliveryRequest
from batchyard.webhooks.deliver import deliver, end_delivery
from batchyard.webhooks.notify import notify
from tests.integration.batchyard.receiver import Receiver, receiving
from tests.integration.batchyard.webhooks.registered import EVENT, due, private, register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchyard.services import Services
    from tests.fakes.world import World


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def services(world: World) -> Services:
    return private(world)


def shown(services: Services, endpoint_id: str) -> dict[str, Any]:
    (delivery,) = webhook_endpoints.list_webhook_deliveries(services, "default", endpoint_id)["data"]
    return dict(delivery)


def test_an_event_is_refused_taken_and_shown_as_delivered(services: Services, receiver: Receiver) -> None:
    receiver.answers = [(500, {})]
    order, made = due(services, receiver.url)
    with pytest.raises(DeliveryFailed):
        deliver(services, order)
    assert (shown(services, made["id"])["state"], shown(services, made["id"])["last_status_code"]) == ("pending", 500)
    assert deliver(services, order) == "delivered"
    assert deliver(services, order) == "delivered"
    assert end_delivery(services, order) == "delivered"
    state = shown(services, made["id"])
    assert (state["state"], state["attempts"], state["last_status_code"], state["last_error"]) == (
        "delivered",
        2,
        204,
        None,
    )
    (_, first, body), (path, second, again) = receiver.got
    assert (path, body, first["webhook-id"]) == ("/hook", again, second["webhook-id"])
    client = OpenAI(api_key="made-up", webhook_secret=made["signing_secret"])
    assert client.webhooks.unwrap(again, second).id == EVENT.event_id
    assert second["user-agent"].startswith("Batchyard/")
    assert "authorization" not in second


class Killed(BaseException):
    """The end of a worker, in the middle of what it does."""


def killing(monkeypatch: pytest.MonkeyPatch, at: int, *, before: bool) -> list[str]:
    """Have the worker die before or after its call number `at` of AWS; return the calls it has made."""
    calls: list[str] = []
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 - where moto, too, takes the place of AWS

    def dying(self: BaseClient, operation: str, parameters: dict[str, Any]) -> object:
        calls.append(operation)
        if before and len(calls) == at:
            raise Killed
        answer = call(self, operation, parameters)
        if not before and len(calls) == at:
            raise Killed
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", dying)
    return calls


def begin_and_deliver(services: Services, endpoint_id: str) -> None:
    source = (
        f"s3://{services.settings.bucket}/inbox/default/in.jsonl"  # so that a pointer to the results is written, too
    )
    ended = {
        "id": EVENT.batch_id, "tenant": "default", "status": "completed", "completed_at": EVENT.created_at,
        "created_at": EVENT.created_at, "input_file_id": source,
    }  # fmt: skip
    notify(services, ended)
    assert deliver(services, DeliveryRequest("default", endpoint_id, EVENT)) == "delivered"


def executions(services: Services) -> list[str]:
    machine = services.settings.webhook_state_machine_arn
    return [
        each["name"] for each in boto3.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    ]


@pytest.mark.parametrize("before", [True, False])
def test_a_worker_may_die_at_any_call_and_the_event_is_delivered_when_it_is_done_again(
    services: Services, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    at, made_calls = 0, 0
    while made_calls >= at:
        at, receiver.got = at + 1, []
        endpoint_id = register(services, receiver.url)["id"]
        with monkeypatch.context() as patched, suppress(Killed):
            calls = killing(patched, at, before=before)
            begin_and_deliver(services, endpoint_id)
        made_calls = len(calls)
        begin_and_deliver(services, endpoint_id)
        assert shown(services, endpoint_id)["state"] == "delivered"
        assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
        assert len(receiver.got) <= 2
        assert executions(services).count(DeliveryRequest("default", endpoint_id, EVENT).name) == 1
        webhook_endpoints.delete_webhook_endpoint(services, "default", endpoint_id)
    assert at > 5, "the run had fewer calls than a delivery has"
