"""Make a batch of the new files of a gather folder."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import services
from batchyard.gathering.gather import gather, take_up
from batchyard.observability import logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take S3's event of a folder's RUN, or `{"firing"}`, one that was left; answer the id of the batch, if there is one."""

    def seconds_left() -> float:
        return context.get_remaining_time_in_millis() / 1_000

    if "firing" in event:
        batch = take_up(services.current(), **event["firing"], seconds_left=seconds_left)
    else:
        run, where = event["detail"]["object"], event["detail"]["bucket"]["name"]
        batch = gather(services.current(), where, run["key"], run.get("version-id"), seconds_left)
    return {"batch_ids": [batch.batch_id] if batch else []}
