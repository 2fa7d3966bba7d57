"""The front door: OpenAI's operations over HTTP."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard.api import batch_routes, file_routes, upload_routes, webhook_routes
from batchyard.api.app import answer, app
from batchyard.observability import logger

app.include_router(batch_routes.router)
app.include_router(file_routes.router)
app.include_router(upload_routes.router)
app.include_router(webhook_routes.router)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take an HTTP API request (payload 2.0) and answer it."""
    return answer(event, context)
