"""The end of a batch is told to the endpoints of its tenant that want it, and to no other."""

import json
from pathlib import Path
from typing import Any

import pytest

from batchyard.domain import webhook_delivery
from batchyard.domain.errors import StoreError
from batchyard.domain.webhook_delivery import shape
from batchyard.domain.webhook_endpoint import WebhookEndpoint
from batchyard.webhooks.notify import notify
from tests.fakes.batches import BATCH_ID
from tests.fakes.services import MemoryExecutions, MemoryServices

ROOT = Path(__file__).resolve().parents[4]
ENDS = ["completed", "failed", "cancelled"]


def told(what: str, about: str = "batch") -> dict[str, Any]:
    detail: dict[str, Any] = json.loads((ROOT / f"events/bus.{about}-{what}.json").read_text(encoding="utf-8"))[
        "detail"
    ]
    return detail


def endpoint(made: MemoryServices, number: int, tenant: str, *event_types: str) -> str:
    endpoint_id = f"we_{number:032x}"
    made.webhook_store.create(
        WebhookEndpoint(
            endpoint_id=endpoint_id, tenant=tenant, name="n", url="https://hooks.example.com/", created_at=number, updated_at=1,
            event_types=list(event_types),
        )
    )  # fmt: skip
    return endpoint_id


@pytest.mark.parametrize("what", ENDS)
def test_those_that_want_it_are_told_and_no_other_tenant_s(what: str) -> None:
    made = MemoryServices()
    wanting = [
        endpoint(made, 1, "default", f"batch.{what}"),
        endpoint(made, 2, "default", *(f"batch.{each}" for each in ENDS)),
    ]
    endpoint(made, 3, "default", "batch.expired")
    endpoint(made, 4, "acme", f"batch.{what}")
    assert len(notify(made, told(what))) == 2
    orders = [made.webhook_executions.payloads[name] for name in made.webhook_executions.started]
    assert [order.endpoint_id for order in orders] == wanting[::-1]
    (event,) = {order.event for order in orders}
    assert (event.event_type, event.batch_id) == (f"batch.{what}", BATCH_ID)
    assert event.created_at == told(what)[f"{what}_at"]


def test_a_warning_reaches_those_that_want_it_with_its_amounts_and_one_id() -> None:
    made, warning = MemoryServices(), told("warning", "budget")
    endpoint(made, 1, "default", "batch.completed")
    endpoint(made, 2, "default", "budget.warning")
    (name,) = notify(made, warning)
    assert notify(made, warning) == [name]
    event = made.webhook_executions.payloads[name].event
    assert json.loads(event.body()) == {
        "id": warning["id"], "object": "event", "type": "budget.warning", "created_at": warning["created_at"],
        "data": {
            "month": "2026-09", "percent": 80, "budget_usd": 250.0, "spent_usd": 204.5, "estimated_usd": 12.25,
        },
    }  # fmt: skip
    (delivery,) = made.webhook_store.told.values()
    assert shape(delivery)["batch_id"] is None


def test_a_tenant_without_endpoints_costs_no_execution() -> None:
    made = MemoryServices()
    assert notify(made, told("completed")) == []
    assert made.webhook_executions.started == []


class DownOnce(MemoryExecutions):
    """A state machine that cannot be reached, once."""

    down = True

    def start(self, name: str, payload: object) -> bool:
        if self.down:
            self.down = False
            raise StoreError("down")
        return super().start(name, payload)


def test_a_delivery_that_could_not_be_started_is_started_when_the_event_comes_again() -> None:
    made = MemoryServices()
    endpoint(made, 1, "default", "batch.completed")
    made.webhook_executions = DownOnce()
    with pytest.raises(StoreError):
        notify(made, told("completed"))
    notify(made, told("completed"))
    assert len(made.webhook_executions.started) == 1
    assert [each.state for each in made.webhook_store.told.values()] == ["pending"]


def test_the_end_of_a_batch_that_a_schedule_made_names_the_schedule() -> None:
    made = MemoryServices()
    endpoint(made, 1, "default", "batch.completed")
    notify(made, {**told("completed"), "schedule": "sched_1"})
    (order,) = made.webhook_executions.payloads.values()
    assert json.loads(order.event.body())["data"] == {"id": BATCH_ID, "schedule": "sched_1"}
    plain = webhook_delivery.event_of(BATCH_ID, "batch.completed", order.event.created_at)
    assert order.event.event_id == plain.event_id
    assert json.loads(plain.body())["data"] == {"id": BATCH_ID}
