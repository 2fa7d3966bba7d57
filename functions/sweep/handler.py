"""Sweep everything on schedule, or one batch at once whose execution has ended badly."""

import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.recovery.sweep import sweep, sweep_batch

EXECUTION_ENDED = "Step Functions Execution Status Change"


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take the event of the schedule or of an execution, and answer how often each action was taken, by name of metric."""
    if event.get("detail-type") == EXECUTION_ENDED:
        return sweep_batch(services.current(), json.loads(event["detail"]["input"])["batch_id"])
    return sweep(services.current(), lambda: context.get_remaining_time_in_millis() / 1_000)
