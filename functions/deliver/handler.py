"""Deliver an event to a webhook endpoint."""

from typing import Any

import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.domain.webhook_delivery import DeliveryRequest
from batchyard.observability import logger
from batchyard.webhooks.deliver import deliver, end_delivery


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take a DeliveryRequest, with `error` after the last attempt, and answer the state of the delivery."""
    request = msgspec.convert(event, DeliveryRequest)
    logger.append_keys(batch_id=request.event.batch_id, endpoint_id=request.endpoint_id)
    if "error" in event:
        return {"state": end_delivery(services.current(), request)}
    return {"state": deliver(services.current(), request)}
