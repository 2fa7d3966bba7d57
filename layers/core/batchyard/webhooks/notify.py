"""Have the end of a batch told to the webhook endpoints of its tenant."""

from collections.abc import Mapping
from typing import Any

from batchyard.domain import webhook_delivery
from batchyard.domain.statuses import STAMPS
from batchyard.domain.webhook_delivery import DeliveryRequest, WebhookEvent
from batchyard.observability import logger
from batchyard.services import Services


def notify(services: Services, batch: Mapping[str, Any]) -> list[str]:
    """Start a delivery to each endpoint that wants the event of this batch, as the bus tells it; return their names.

    The bus may tell it twice, and two of us may run: a delivery has one record and one execution, by its event's id.
    """
    tenant, event = batch["tenant"], _event(batch)
    wanting = [each for each in services.webhook_store.endpoints(tenant) if event.event_type in each.event_types]
    for endpoint in wanting:
        order = DeliveryRequest(tenant, endpoint.endpoint_id, event)
        services.webhook_store.begin(webhook_delivery.new(event, tenant, endpoint.endpoint_id, services.now()))
        if services.webhook_executions.start(order.name, order):
            logger.info("webhook begun", endpoint_id=endpoint.endpoint_id, event_type=event.event_type)
    return [DeliveryRequest(tenant, each.endpoint_id, event).name for each in wanting]


def _event(batch: Mapping[str, Any]) -> WebhookEvent:
    status = batch["status"]
    return webhook_delivery.event_of(batch["id"], f"batch.{status}", batch[STAMPS[status]])
