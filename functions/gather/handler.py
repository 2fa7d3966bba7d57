"""Make a batch of the new files of a gather folder."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.gathering.gather import gather
from batchyard.observability import logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take S3's event of a folder's RUN; answer the id of the batch, or no id if there is nothing to gather."""
    run = event["detail"]
    batch = gather(services.current(), run["bucket"]["name"], run["object"]["key"], run["object"].get("version-id"))
    return {"batch_ids": [batch.batch_id] if batch else []}
