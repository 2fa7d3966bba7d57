"""The front door: OpenAI's batch operations over HTTP."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import api, yard
from batchyard.front_door import app, body, header, query, tenant
from batchyard.log import logger


@app.post("/v1/batches")
def create_batch() -> dict[str, Any]:
    """CreateBatch."""
    return api.create_batch(yard.current(), tenant(), body(), header("idempotency-key"))


@app.get("/v1/batches")
def list_batches() -> dict[str, Any]:
    """ListBatches."""
    return api.list_batches(yard.current(), tenant(), query("after"), query("limit"))


@app.get("/v1/batches/<batch_id>")
def retrieve_batch(batch_id: str) -> dict[str, Any]:
    """RetrieveBatch."""
    return api.retrieve_batch(yard.current(), tenant(), batch_id)


@app.post("/v1/batches/<batch_id>/cancel")
def cancel_batch(batch_id: str) -> dict[str, Any]:
    """CancelBatch."""
    return api.cancel_batch(yard.current(), tenant(), batch_id)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take an HTTP API request (payload 2.0) and answer it."""
    return app.resolve(event, context)
