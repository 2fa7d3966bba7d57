"""Plan a batch."""

from typing import Any

import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.planning.plan import plan


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take `{"batch_id"}`, or our own answer when the plan goes on; answer what the state machine goes on with."""
    logger.append_keys(batch_id=event["batch_id"])
    resume, seconds_left = event.get("next") == "plan", lambda: context.get_remaining_time_in_millis() / 1_000
    done = plan(services.current(), event["batch_id"], resume=resume, seconds_left=seconds_left)
    planned: dict[str, Any] = msgspec.to_builtins(done)
    return planned
