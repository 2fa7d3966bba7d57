"""Record that a batch or a shard failed."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.shards.fail import fail_batch, fail_shard


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take `{"batch_id", "error"}`, and of a shard `{"shard", "execution", "run"}`; answer what is `next` for a shard."""
    logger.append_keys(batch_id=event["batch_id"])
    if "shard" in event:
        run = f"{event['execution']}-run-{event['run']}"
        following = fail_shard(services.current(), event["batch_id"], event["shard"], event["error"], run)
        return {"batch_id": event["batch_id"], "next": following}
    fail_batch(services.current(), event["batch_id"], event["error"])
    return {"batch_id": event["batch_id"]}
