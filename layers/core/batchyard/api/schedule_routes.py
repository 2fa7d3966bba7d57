"""The routes of schedules, and of the files of gathered batches, as `openapi.json` describes them.

They are added to those of `routes`.
"""

from typing import Any

from batchyard import services
from batchyard.api import batches
from batchyard.api.batches import of_schedule
from batchyard.api.routes import router
from batchyard.domain import object_keys
from batchyard.gateway.request import Request
from batchyard.gateway.response import Response, inline_or_elsewhere
from batchyard.schedules import requests

__all__ = ["router"]


@router.add("POST", "/v1/schedules")
def create_schedule(request: Request) -> dict[str, Any]:
    """CreateSchedule."""
    key = request.header("idempotency-key")
    return requests.create_schedule(services.current(), request.tenant, request.body(), of_schedule, key)


@router.add("GET", "/v1/schedules")
def list_schedules(request: Request) -> dict[str, Any]:
    """ListSchedules."""
    return requests.list_schedules(services.current(), request.tenant, request.query("after"), request.query("limit"))


@router.add("GET", "/v1/schedules/{schedule_id}")
def retrieve_schedule(request: Request, schedule_id: str) -> dict[str, Any]:
    """RetrieveSchedule."""
    return requests.retrieve_schedule(services.current(), request.tenant, schedule_id)


@router.add("DELETE", "/v1/schedules/{schedule_id}")
def delete_schedule(request: Request, schedule_id: str) -> dict[str, Any]:
    """DeleteSchedule."""
    return requests.delete_schedule(services.current(), request.tenant, schedule_id)


@router.add("POST", "/v1/schedules/{schedule_id}/run")
def run_schedule(request: Request, schedule_id: str) -> dict[str, Any]:
    """RunSchedule."""
    key = request.header("idempotency-key")
    return requests.run_schedule(services.current(), request.tenant, schedule_id, key)


@router.add("GET", "/v1/schedules/{schedule_id}/batches")
def schedule_batches(request: Request, schedule_id: str) -> dict[str, Any]:
    """ListScheduleBatches."""
    return requests.schedule_batches(
        services.current(), request.tenant, schedule_id, request.query("after"), request.query("limit")
    )


# The files that a batch was gathered from


@router.add("GET", "/v1/batches/{batch_id}/files")
def list_batch_files(request: Request, batch_id: str) -> dict[str, Any]:
    """ListBatchFiles."""
    after, limit = request.query("after"), request.query("limit")
    return batches.batch_files(services.current(), request.tenant, batch_id, after, limit)


@router.add("GET", "/v1/batches/{batch_id}/files/{number}/output")
def batch_file_output(request: Request, batch_id: str, number: str) -> Response:
    """RetrieveBatchFileOutput."""
    asked = request.tenant, batch_id, number, object_keys.OUTPUT
    return inline_or_elsewhere(batches.file_result(services.current(), *asked, gzip=request.takes_gzip()))


@router.add("GET", "/v1/batches/{batch_id}/files/{number}/errors")
def batch_file_errors(request: Request, batch_id: str, number: str) -> Response:
    """RetrieveBatchFileErrors."""
    asked = request.tenant, batch_id, number, object_keys.ERRORS
    return inline_or_elsewhere(batches.file_result(services.current(), *asked, gzip=request.takes_gzip()))
