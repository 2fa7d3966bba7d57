"""A tenant's webhook endpoints, by the front door."""

import json
import time
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from batchyard.api import webhook_endpoints as door
from batchyard.domain.errors import ApiError, StaleRecord
from batchyard.domain.webhook_delivery import OF_WARNING
from batchyard.domain.webhook_endpoint import MOST_ENDPOINTS, secrets_of
from tests.fakes.batches import NOW
from tests.fakes.services import MemoryServices

BODY = {"name": "ci", "url": "https://hooks.example.com/", "event_types": ["batch.completed"]}


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def create(services: MemoryServices, tenant: str = "acme") -> dict[str, Any]:
    services.wait(1)
    return door.create_webhook_endpoint(services, tenant, BODY)


def good(services: MemoryServices, endpoint_id: str) -> list[str]:
    return secrets_of(
        services.signing_secret.text, services.webhook_store.endpoint("acme", endpoint_id), services.now()
    )


def test_the_secret_is_shown_once_and_kept_nowhere(services: MemoryServices) -> None:
    made = create(services)
    secret = made.pop("signing_secret")
    assert good(services, made["id"]) == [secret]
    assert door.retrieve_webhook_endpoint(services, "acme", made["id"]) == made
    assert secret not in str(services.webhook_store.known)
    assert made["signing_secret_hint"].removeprefix("whsec_…") in secret
    assert made["created_at"] == made["updated_at"] == NOW + 1


def test_a_tenant_has_ten_endpoints_and_no_more_until_one_is_deleted(services: MemoryServices) -> None:
    made = [create(services) for _ in range(MOST_ENDPOINTS)]
    with pytest.raises(ApiError) as refused:
        create(services)
    assert (refused.value.status, refused.value.code) == (403, "webhook_endpoints_limit_exceeded")
    create(services, "other")
    door.delete_webhook_endpoint(services, "acme", made[0]["id"])
    create(services)


def test_endpoints_are_listed_newest_first_and_page_by_page(services: MemoryServices) -> None:
    ids = [create(services)["id"] for _ in range(5)][::-1]
    first = door.list_webhook_endpoints(services, "acme", None, "2")
    rest = door.list_webhook_endpoints(services, "acme", first["last_id"], None)
    assert [each["id"] for each in (*first["data"], *rest["data"])] == ids
    assert (first["has_more"], rest["has_more"], rest["first_id"]) == (True, False, ids[2])
    assert door.list_webhook_endpoints(services, "acme", None, "0")["data"] == []
    with pytest.raises(ApiError):
        door.list_webhook_endpoints(services, "other", ids[0], None)


def test_a_change_keeps_the_secret_and_none_changes_nothing(services: MemoryServices) -> None:
    made = create(services)
    services.wait(9)
    assert (
        door.update_webhook_endpoint(services, "acme", made["id"], {"name": "ci"})["updated_at"] == made["updated_at"]
    )
    changed = door.update_webhook_endpoint(
        services, "acme", made["id"], {"name": "cd", "event_types": ["batch.failed"]}
    )
    assert (changed["name"], changed["event_types"], changed["url"]) == ("cd", ["batch.failed"], BODY["url"])
    assert changed["updated_at"] == made["updated_at"] + 9
    assert good(services, made["id"]) == [made["signing_secret"]]


def test_a_rotated_secret_voids_the_old_one_at_once_or_a_day_later(services: MemoryServices) -> None:
    made = create(services)
    second = door.rotate_webhook_secret(services, "acme", made["id"], {"keep_old_secret_active_for_24_hours": True})
    assert good(services, made["id"]) == [second["signing_secret"], made["signing_secret"]]
    assert second["signing_secret_hint"] != made["signing_secret_hint"]
    services.wait(86_400)
    assert good(services, made["id"]) == [second["signing_secret"]]
    third = door.rotate_webhook_secret(services, "acme", made["id"], {})
    assert good(services, made["id"]) == [third["signing_secret"]]


def test_of_two_rotations_at_once_one_is_told_to_look_again(services: MemoryServices) -> None:
    made = create(services)
    before = services.webhook_store.endpoint("acme", made["id"])
    door.rotate_webhook_secret(services, "acme", made["id"], {})
    with pytest.raises(StaleRecord):
        services.webhook_store.change(before, generation=2)
    services.webhook_store.endpoint = lambda *_: before  # type: ignore[method-assign]  # what a request saw that began earlier
    with pytest.raises(ApiError) as refused:
        door.rotate_webhook_secret(services, "acme", made["id"], {})
    assert refused.value.status == 409


def test_an_endpoint_is_tried_with_a_signed_event_that_is_recorded_nowhere(services: MemoryServices) -> None:
    made = create(services)
    services.now_is = time.time()
    shown = door.test_webhook_endpoint(services, "acme", made["id"], {"event_type": "batch.expired"})
    assert (shown["status_code"], shown["event_type"]) == (200, "batch.expired")
    ((_, headers, body),) = services.webhook_sender.posted
    assert Webhook(made["signing_secret"]).verify(body, headers)
    assert door.list_webhook_deliveries(services, "acme", made["id"])["data"] == []


def test_a_made_up_warning_looks_like_one(services: MemoryServices) -> None:
    made = create(services)
    door.test_webhook_endpoint(services, "acme", made["id"], {"event_type": "budget.warning"})
    ((_, _, body),) = services.webhook_sender.posted
    event = json.loads(body)
    assert (event["type"], set(event["data"])) == ("budget.warning", set(OF_WARNING))


def test_an_endpoint_that_cannot_be_reached_is_a_400_that_says_why(services: MemoryServices) -> None:
    services.webhook_sender.answers = ["No connection to hooks.example.com."]
    with pytest.raises(ApiError, match="No connection") as refused:
        door.test_webhook_endpoint(services, "acme", create(services)["id"], {"event_type": "batch.completed"})
    assert (refused.value.status, refused.value.param) == (400, "url")
