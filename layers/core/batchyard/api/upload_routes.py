"""The routes of `/v1/uploads`, and of uploads straight to S3."""

from typing import Any

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from batchyard import services
from batchyard.api import presigned, uploads
from batchyard.api.app import body, header, raw_body, tenant

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # powertools leaves it untyped


@router.post("/v1/uploads")
def create_upload() -> dict[str, Any]:
    """CreateUpload."""
    return uploads.create_upload(services.current(), tenant(), body())


@router.post("/v1/uploads/<upload_id>/parts")
def add_upload_part(upload_id: str) -> dict[str, Any]:
    """AddUploadPart."""
    return uploads.add_part(services.current(), tenant(), upload_id, header("content-type"), raw_body())


@router.post("/v1/uploads/<upload_id>/complete")
def complete_upload(upload_id: str) -> dict[str, Any]:
    """CompleteUpload."""
    return uploads.complete_upload(services.current(), tenant(), upload_id, body())


@router.post("/v1/uploads/<upload_id>/cancel")
def cancel_upload(upload_id: str) -> dict[str, Any]:
    """CancelUpload."""
    return uploads.cancel_upload(services.current(), tenant(), upload_id)


@router.post("/v1/uploads/presign")
def presign_file() -> dict[str, Any]:
    """PresignFile."""
    return presigned.presign_file(services.current(), tenant(), body())
