"""The routes of OpenAI's operations on batches, files, uploads and models, as `openapi.json` describes them.

`own_routes` has the others.
"""

from typing import Any

from batchyard import services
from batchyard.api import batches, files, models, uploads
from batchyard.gateway.request import Request
from batchyard.gateway.response import Response, inline_or_elsewhere
from batchyard.gateway.router import Router

router = Router()


# Batches


@router.add("POST", "/v1/batches")
def create_batch(request: Request) -> dict[str, Any]:
    """CreateBatch."""
    return batches.create_batch(services.current(), request.tenant, request.body(), request.header("idempotency-key"))


@router.add("GET", "/v1/batches")
def list_batches(request: Request) -> dict[str, Any]:
    """ListBatches."""
    return batches.list_batches(services.current(), request.tenant, request.query("after"), request.query("limit"))


@router.add("GET", "/v1/batches/{batch_id}")
def retrieve_batch(request: Request, batch_id: str) -> dict[str, Any]:
    """RetrieveBatch."""
    return batches.retrieve_batch(services.current(), request.tenant, batch_id)


@router.add("POST", "/v1/batches/{batch_id}/cancel")
def cancel_batch(request: Request, batch_id: str) -> dict[str, Any]:
    """CancelBatch."""
    return batches.cancel_batch(services.current(), request.tenant, batch_id)


# Files


@router.add("POST", "/v1/files")
def create_file(request: Request) -> dict[str, Any]:
    """CreateFile."""
    return files.create_file(services.current(), request.tenant, request.header("content-type"), request.raw_body())


@router.add("GET", "/v1/files")
def list_files(request: Request) -> dict[str, Any]:
    """ListFiles."""
    asked = {name: request.query(name) for name in ("purpose", "limit", "order", "after")}
    return files.list_files(services.current(), request.tenant, **asked)


@router.add("GET", "/v1/files/{file_id}")
def retrieve_file(request: Request, file_id: str) -> dict[str, Any]:
    """RetrieveFile."""
    return files.retrieve_file(services.current(), request.tenant, file_id)


@router.add("DELETE", "/v1/files/{file_id}")
def delete_file(request: Request, file_id: str) -> dict[str, Any]:
    """DeleteFile."""
    return files.delete_file(services.current(), request.tenant, file_id)


@router.add("GET", "/v1/files/{file_id}/content")
def file_content(request: Request, file_id: str) -> Response:
    """DownloadFile."""
    return inline_or_elsewhere(
        files.file_content(services.current(), request.tenant, file_id, gzip=request.takes_gzip())
    )


# Uploads


@router.add("POST", "/v1/uploads")
def create_upload(request: Request) -> dict[str, Any]:
    """CreateUpload."""
    return uploads.create_upload(services.current(), request.tenant, request.body())


@router.add("POST", "/v1/uploads/{upload_id}/parts")
def add_upload_part(request: Request, upload_id: str) -> dict[str, Any]:
    """AddUploadPart."""
    return uploads.add_part(
        services.current(), request.tenant, upload_id, request.header("content-type"), request.raw_body()
    )


@router.add("POST", "/v1/uploads/{upload_id}/complete")
def complete_upload(request: Request, upload_id: str) -> dict[str, Any]:
    """CompleteUpload."""
    return uploads.complete_upload(services.current(), request.tenant, upload_id, request.body())


@router.add("POST", "/v1/uploads/{upload_id}/cancel")
def cancel_upload(request: Request, upload_id: str) -> dict[str, Any]:
    """CancelUpload."""
    return uploads.cancel_upload(services.current(), request.tenant, upload_id)


# Models


@router.add("GET", "/v1/models")
def list_models(request: Request) -> dict[str, Any]:
    """ListModels."""
    return models.list_models(services.current(), request.tenant)


@router.add("GET", "/v1/models/{model+}")
def retrieve_model(request: Request, model: str) -> dict[str, Any]:
    """RetrieveModel; the name may hold slashes."""
    return models.retrieve_model(services.current(), request.tenant, model)
