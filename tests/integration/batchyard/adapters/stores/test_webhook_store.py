"""Records of webhooks in the real table: their conditions, and the order of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchyard.api import webhook_endpoints
from batchyard.domain import webhook_delivery
from batchyard.domain.errors import ApiError, NotFound, StaleRecord
from batchyard.domain.webhook_delivery import DELIVERED, event_of
from batchyard.domain.webhook_endpoint import MOST_ENDPOINTS
from tests.integration.batchyard.webhooks.registered import EVENT, due, private, register

if TYPE_CHECKING:
    from batchyard.services import Services
    from tests.fakes.world import World


@pytest.fixture
def services(world: World) -> Services:
    return private(world)


def test_records_of_endpoints_and_deliveries_keep_their_conditions(services: Services) -> None:
    _, made = due(services, "http://127.0.0.1:9/")
    store = services.webhook_store
    before = store.endpoint("default", made["id"])
    assert store.begin(webhook_delivery.new(EVENT, "default", made["id"], 9)) == store.delivery(made["id"], EVENT)
    store.change(before, generation=2)
    with pytest.raises(StaleRecord):
        store.change(before, name="another")
    with pytest.raises(NotFound):
        store.endpoint("other", made["id"])
    store.note(store.delivery(made["id"], EVENT), state=DELIVERED)
    with pytest.raises(StaleRecord):
        store.attempt(store.delivery(made["id"], EVENT), services.now())
    webhook_endpoints.delete_webhook_endpoint(services, "default", made["id"])
    assert store.endpoints("default") == []
    with pytest.raises(NotFound):
        store.endpoint("default", made["id"])


def test_a_request_to_record_an_endpoint_may_be_repeated_after_a_lost_answer(services: Services) -> None:
    made = services.webhook_store.endpoint("default", register(services, "http://127.0.0.1:9/")["id"])
    assert services.webhook_store.create(made)
    assert services.webhook_store.endpoints("default") == [made]


def test_deliveries_are_listed_newest_first_up_to_a_hundred(services: Services) -> None:
    made = register(services, "http://127.0.0.1:9/")
    for at in range(101):
        event = event_of(f"batch_{at:032x}", "batch.completed", 1_790_000_000 + at)
        services.webhook_store.begin(webhook_delivery.new(event, "default", made["id"], event.created_at))
    page = webhook_endpoints.list_webhook_deliveries(services, "default", made["id"])
    assert [each["created_at"] - 1_790_000_000 for each in page["data"]] == list(range(100, 0, -1))
    assert page["has_more"] is True


def test_endpoints_are_counted_in_the_table_also_where_many_calls_come_at_once(services: Services) -> None:
    store, see = services.webhook_store, services.webhook_store.endpoints
    store.endpoints = lambda tenant: []  # type: ignore[method-assign]  # noqa: ARG005 - no call sees what others are about to record
    made = [register(services, "http://127.0.0.1:9/") for _ in range(MOST_ENDPOINTS)]
    for _ in range(6):
        with pytest.raises(ApiError, match="the most there may be"):
            register(services, "http://127.0.0.1:9/")
    assert len(see("default")) == MOST_ENDPOINTS
    webhook_endpoints.delete_webhook_endpoint(services, "default", made[0]["id"])
    with pytest.raises(ApiError, match="No webhook endpoint"):
        webhook_endpoints.delete_webhook_endpoint(services, "default", made[0]["id"])
    register(services, "http://127.0.0.1:9/")
    with pytest.raises(ApiError, match="the most there may be"):
        register(services, "http://127.0.0.1:9/")
    assert len(see("default")) == MOST_ENDPOINTS


def test_two_deletions_at_once_count_once(services: Services) -> None:
    endpoint = services.webhook_store.endpoint("default", register(services, "http://127.0.0.1:9/")["id"])
    services.webhook_store.delete(endpoint, services.now(), services.now())
    with pytest.raises(StaleRecord):
        services.webhook_store.delete(endpoint, services.now(), services.now())
    for _ in range(MOST_ENDPOINTS):
        register(services, "http://127.0.0.1:9/")
    with pytest.raises(ApiError):
        register(services, "http://127.0.0.1:9/")
