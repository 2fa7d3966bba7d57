"""Services that may call this machine, and a delivery that is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from batchyard.api import webhook_endpoints
from batchyard.domain import webhook_delivery
from batchyard.domain.webhook_delivery import DeliveryRequest, event_of
from batchyard.services import Services

if TYPE_CHECKING:
    from tests.fakes.world import World

EVENT = event_of(f"batch_{'0' * 32}", "batch.completed", 1_790_000_000)
TYPES = ["batch.completed", "batch.failed", "batch.cancelled"]


def private(world: World) -> Services:
    """Services that may call this machine."""
    return Services(replace(world.services.settings, webhooks_to_private_addresses="true"), world.provider)


def register(services: Services, url: str, *event_types: str) -> dict[str, Any]:
    body = {"name": "test", "url": url, "event_types": list(event_types or TYPES)}
    return webhook_endpoints.create_webhook_endpoint(services, "default", body)


def due(services: Services, url: str) -> tuple[DeliveryRequest, dict[str, Any]]:
    made = register(services, url)
    services.webhook_store.begin(webhook_delivery.new(EVENT, "default", made["id"], services.now()))
    return DeliveryRequest("default", made["id"], EVENT), made
