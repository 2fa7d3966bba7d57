"""Collect the answers of a shard's provider batch."""

from typing import Any

import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.domain.step import Step
from batchyard.observability import logger
from batchyard.shards.collect import collect


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a Step and answer the one that follows."""
    step = msgspec.convert(event, Step)
    logger.append_keys(batch_id=step.batch_id, shard=step.shard)
    following = collect(services.current(), step, seconds_left=lambda: context.get_remaining_time_in_millis() / 1_000)
    answer: dict[str, Any] = msgspec.to_builtins(following)
    return answer
