"""Play the next steps of a shard at once."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.recovery.advance import advance_named


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take `{"batch_id", "shard"}` or an event of Amazon Bedrock; answer `next` of the shard, or of the batch if it is done."""
    return advance_named(services.current(), event, seconds_left=lambda: context.get_remaining_time_in_millis() / 1_000)
