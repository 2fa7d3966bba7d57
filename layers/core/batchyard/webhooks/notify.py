"""Tell the webhook endpoints of a tenant that a batch has ended, or that its budget is running out."""

from collections.abc import Mapping
from typing import Any

from batchyard.costs.budget import BUDGET_WARNING
from batchyard.domain import webhook_delivery
from batchyard.domain.statuses import STAMPS
from batchyard.domain.webhook_delivery import DeliveryRequest, WebhookEvent
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.webhooks import by_input


def notify(services: Services, detail: Mapping[str, Any]) -> list[str]:
    """Start a delivery to each endpoint that wants an event of the bus, and return the executions' names.

    If the event is the end of a batch, the pointer of an upload to its results is written first.

    The bus may tell an event twice. A delivery has one record and one execution, which the event and the endpoint name.
    """
    if detail.get("object") == BUDGET_WARNING:
        event = webhook_delivery.warning_of(detail)
    else:
        logger.append_keys(batch_id=detail["id"])
        by_input.point(services, detail)
        event = _end_of(detail)
    tenant = detail["tenant"]
    wanting = [each for each in services.webhook_store.endpoints(tenant) if event.event_type in each.event_types]
    requests = [DeliveryRequest(tenant, endpoint.endpoint_id, event) for endpoint in wanting]
    for request in requests:
        services.webhook_store.begin(webhook_delivery.new(event, tenant, request.endpoint_id, services.now()))
        if services.webhook_executions.start(request.name, request):
            logger.info("webhook begun", endpoint_id=request.endpoint_id, event_type=event.event_type)
    logger.info("told", event_type=event.event_type, endpoints=len(requests))
    return [request.name for request in requests]


def _end_of(detail: Mapping[str, Any]) -> WebhookEvent:
    status = detail["status"]
    return webhook_delivery.event_of(detail["id"], f"batch.{status}", detail[STAMPS[status]], detail.get("schedule"))
