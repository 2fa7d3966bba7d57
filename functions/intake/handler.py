"""Take in uploads: on S3's word, and by the schedule's sweep for those whose event was missed."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import yard
from batchyard.intake import intake, sweep
from batchyard.log import logger

S3_EVENT = "Object Created"


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take an EventBridge event and answer the ids of the batches it made or names."""
    if event.get("detail-type") != S3_EVENT:
        return {"batch_ids": sweep(yard.current())}
    uploaded = event["detail"]
    batch_id = intake(
        yard.current(), uploaded["bucket"]["name"], uploaded["object"]["key"], uploaded["object"].get("version-id")
    )
    return {"batch_ids": [batch_id] if batch_id else []}
