"""The routes of `/v1/batches`."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from batchyard import services
from batchyard.api import batches
from batchyard.api.app import JSON, body, header, inline_or_elsewhere, query, tenant

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # powertools leaves it untyped


@router.post("/v1/batches")
def create_batch() -> dict[str, Any]:
    """CreateBatch."""
    return batches.create_batch(services.current(), tenant(), body(), header("idempotency-key"))


@router.get("/v1/batches")
def list_batches() -> dict[str, Any]:
    """ListBatches."""
    return batches.list_batches(services.current(), tenant(), query("after"), query("limit"))


@router.get("/v1/batches/<batch_id>")
def retrieve_batch(batch_id: str) -> dict[str, Any]:
    """RetrieveBatch."""
    return batches.retrieve_batch(services.current(), tenant(), batch_id)


@router.post("/v1/batches/<batch_id>/cancel")
def cancel_batch(batch_id: str) -> dict[str, Any]:
    """CancelBatch."""
    return batches.cancel_batch(services.current(), tenant(), batch_id)


@router.post("/v1/batches/<batch_id>/resume")
def resume_batch(batch_id: str) -> dict[str, Any]:
    """Resume a paused batch; ours, not OpenAI's."""
    return batches.resume_batch(services.current(), tenant(), batch_id)


@router.get("/v1/batches/<batch_id>/report")
def batch_report(batch_id: str) -> Response[Any]:
    """RetrieveReport."""
    return inline_or_elsewhere(batches.batch_report(services.current(), tenant(), batch_id), JSON)
