"""Tell the webhook endpoints of a tenant that a batch has ended, or that its budget is running out."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.webhooks.notify import notify


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take the event of a batch that has ended or of a warning, and answer the names of the deliveries."""
    logger.append_keys(event_id=event["id"])
    return {"deliveries": notify(services.current(), event["detail"])}
