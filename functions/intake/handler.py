"""Make a batch of an upload."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.planning.intake import intake


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take S3's event of an upload; answer the id of the batch, or no id if the object is no input."""
    uploaded = event["detail"]
    batch_id = intake(
        services.current(), uploaded["bucket"]["name"], uploaded["object"]["key"], uploaded["object"].get("version-id")
    )
    return {"batch_ids": [batch_id] if batch_id else []}
