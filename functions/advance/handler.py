"""Play the next steps of a shard at once."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.recovery.advance import advance


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take `{"batch_id", "shard"}`, and answer `next` of the shard, or of the batch if all shards are done."""
    logger.append_keys(batch_id=event["batch_id"], shard=event["shard"])
    following = advance(
        services.current(),
        event["batch_id"],
        event["shard"],
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1_000,
    )
    return {**event, "next": following}
