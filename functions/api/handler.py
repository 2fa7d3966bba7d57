"""The HTTP API: OpenAI's operations, and some of our own."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard.api.app import answer
from batchyard.observability import logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway (payload 2.0)."""
    return answer(event, context.aws_request_id)
