"""Have the end of a batch told to its tenant's webhook endpoints."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.webhooks.notify import notify


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take the bus's word of a batch that has ended and answer the names of the deliveries that were begun."""
    logger.append_keys(batch_id=event["detail"]["id"])
    return {"deliveries": notify(services.current(), event["detail"])}
