"""Tell the people who asked for it what happened to a batch or a budget."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.webhooks.inform import inform


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take an event of the bus, and answer the id of the notification; none where nobody asked for it."""
    logger.append_keys(event_id=event["id"])
    return {"notification": inform(services.current(), event["detail-type"], event["detail"])}
