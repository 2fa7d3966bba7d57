"""Submit what is unfinished of a shard to the provider."""

from typing import Any

import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.domain.step import Step
from batchyard.observability import logger
from batchyard.shards.submit import submit


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take a Step and answer the one that follows."""
    step = msgspec.convert(event, Step)
    logger.append_keys(batch_id=step.batch_id, shard=step.shard)
    following: dict[str, Any] = msgspec.to_builtins(submit(services.current(), step))
    return following
