"""Look at a shard's provider batch and say when to look again."""

from typing import Any

import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.domain.step import Step
from batchyard.observability import logger
from batchyard.shards.poll import poll


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take a Step and answer the one that follows."""
    step = msgspec.convert(event, Step)
    logger.append_keys(batch_id=step.batch_id, shard=step.shard)
    following: dict[str, Any] = msgspec.to_builtins(poll(services.current(), step))
    return following
