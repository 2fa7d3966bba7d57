"""Write the results of a batch and end it."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.observability import logger
from batchyard.results.assemble import assemble


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take what Plan answered, or our own answer, and answer what is `next`."""
    logger.append_keys(batch_id=event["batch_id"])
    following = assemble(
        services.current(), event["batch_id"], seconds_left=lambda: context.get_remaining_time_in_millis() / 1_000
    )
    return {"batch_id": event["batch_id"], "next": following}
