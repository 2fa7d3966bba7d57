"""Plan a batch."""

from typing import Any

import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import yard
from batchyard.log import logger
from batchyard.plan import plan


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take `{"batch_id"}` and answer what the state machine goes on with."""
    logger.append_keys(batch_id=event["batch_id"])
    planned: dict[str, Any] = msgspec.to_builtins(plan(yard.current(), event["batch_id"]))
    return planned
