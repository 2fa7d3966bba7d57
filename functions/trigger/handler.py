"""Make the batch of a schedule."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.schedules.trigger import trigger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take the clock's event, the wish to run a schedule, or the end of a batch; answer the id of the new batch, if any."""

    def seconds_left() -> float:
        return context.get_remaining_time_in_millis() / 1_000

    return {"batch_id": trigger(services.current(), event, seconds_left)}
