"""Cancel what the provider still runs of a batch."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.shards.cancel import cancel


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take `{"batch_id"}` and answer how many provider batches were cancelled."""
    logger.append_keys(batch_id=event["batch_id"])
    return {"batch_id": event["batch_id"], "cancelled": cancel(services.current(), event["batch_id"])}
