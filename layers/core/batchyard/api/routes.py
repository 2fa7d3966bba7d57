"""The routes of the HTTP API, as `openapi.json` describes them, and the operation that each calls.

`app` has those for health and for the description.
"""

from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from batchyard import services
from batchyard.api import batches, files, models, presigned, uploads, usage, webhook_endpoints
from batchyard.api.app import (
    JSON,
    body,
    gzip,
    header,
    headers,
    inline_or_elsewhere,
    optional_body,
    query,
    raw_body,
    tenant,
)
from batchyard.webhooks.receive import receive

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # powertools leaves it untyped


# Batches


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
    return batches.resume_batch(services.current(), tenant(), batch_id, optional_body())


@router.post("/v1/batches/<batch_id>/retry")
def retry_batch(batch_id: str) -> dict[str, Any]:
    """Send again what has no good answer in an ended batch; ours, not OpenAI's."""
    return batches.retry_batch(services.current(), tenant(), batch_id, optional_body(), header("idempotency-key"))


@router.get("/v1/batches/<batch_id>/report")
def batch_report(batch_id: str) -> Response[Any]:
    """RetrieveReport."""
    return inline_or_elsewhere(batches.batch_report(services.current(), tenant(), batch_id, gzip=gzip()), JSON)


@router.get("/v1/usage")
def retrieve_usage() -> dict[str, Any]:
    """Sum up tokens and dollars; ours, not OpenAI's."""
    return usage.usage(services.current(), tenant(), query("from"), query("to"), query("group_by"))


# Files


@router.post("/v1/files")
def create_file() -> dict[str, Any]:
    """CreateFile."""
    return files.create_file(services.current(), tenant(), header("content-type"), raw_body())


@router.get("/v1/files")
def list_files() -> dict[str, Any]:
    """ListFiles."""
    return files.list_files(
        services.current(), tenant(),
        purpose=query("purpose"), limit=query("limit"), order=query("order"), after=query("after"),
    )  # fmt: skip


@router.get("/v1/files/<file_id>")
def retrieve_file(file_id: str) -> dict[str, Any]:
    """RetrieveFile."""
    return files.retrieve_file(services.current(), tenant(), file_id)


@router.delete("/v1/files/<file_id>")
def delete_file(file_id: str) -> dict[str, Any]:
    """DeleteFile."""
    return files.delete_file(services.current(), tenant(), file_id)


@router.get("/v1/files/<file_id>/content")
def file_content(file_id: str) -> Response[Any]:
    """DownloadFile."""
    return inline_or_elsewhere(files.file_content(services.current(), tenant(), file_id, gzip=gzip()))


# Uploads, and files sent straight to S3


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


# Models


@router.get("/v1/models")
def list_models() -> dict[str, Any]:
    """ListModels."""
    return models.list_models(services.current(), tenant())


@router.get("/v1/models/<model>")
def retrieve_model(model: str) -> dict[str, Any]:
    """RetrieveModel; `app` quotes the name, which may hold slashes."""
    return models.retrieve_model(services.current(), tenant(), unquote(model))


# Webhooks: the provider tells us, and we tell a tenant


@router.post("/v1/webhooks/provider")
def receive_provider_webhook() -> dict[str, Any]:
    """ReceiveProviderWebhook."""
    return receive(services.current(), headers(), raw_body())


@router.post("/v1/webhook_endpoints")
def create_webhook_endpoint() -> dict[str, Any]:
    """CreateWebhookEndpoint."""
    return webhook_endpoints.create_webhook_endpoint(services.current(), tenant(), body())


@router.get("/v1/webhook_endpoints")
def list_webhook_endpoints() -> dict[str, Any]:
    """ListWebhookEndpoints."""
    return webhook_endpoints.list_webhook_endpoints(services.current(), tenant(), query("after"), query("limit"))


@router.get("/v1/webhook_endpoints/<webhook_endpoint_id>")
def retrieve_webhook_endpoint(webhook_endpoint_id: str) -> dict[str, Any]:
    """RetrieveWebhookEndpoint."""
    return webhook_endpoints.retrieve_webhook_endpoint(services.current(), tenant(), webhook_endpoint_id)


@router.post("/v1/webhook_endpoints/<webhook_endpoint_id>")
def update_webhook_endpoint(webhook_endpoint_id: str) -> dict[str, Any]:
    """UpdateWebhookEndpoint."""
    return webhook_endpoints.update_webhook_endpoint(services.current(), tenant(), webhook_endpoint_id, body())


@router.delete("/v1/webhook_endpoints/<webhook_endpoint_id>")
def delete_webhook_endpoint(webhook_endpoint_id: str) -> dict[str, Any]:
    """DeleteWebhookEndpoint."""
    return webhook_endpoints.delete_webhook_endpoint(services.current(), tenant(), webhook_endpoint_id)


@router.post("/v1/webhook_endpoints/<webhook_endpoint_id>/rotate_secret")
def rotate_webhook_secret(webhook_endpoint_id: str) -> dict[str, Any]:
    """RotateWebhookSecret."""
    return webhook_endpoints.rotate_webhook_secret(services.current(), tenant(), webhook_endpoint_id, optional_body())


@router.post("/v1/webhook_endpoints/<webhook_endpoint_id>/test")
def test_webhook_endpoint(webhook_endpoint_id: str) -> dict[str, Any]:
    """TestWebhookEndpoint."""
    return webhook_endpoints.test_webhook_endpoint(services.current(), tenant(), webhook_endpoint_id, body())


@router.get("/v1/webhook_endpoints/<webhook_endpoint_id>/deliveries")
def list_webhook_deliveries(webhook_endpoint_id: str) -> dict[str, Any]:
    """ListWebhookDeliveries."""
    return webhook_endpoints.list_webhook_deliveries(services.current(), tenant(), webhook_endpoint_id)


@router.get("/v1/webhook_event_types")
def list_webhook_event_types() -> dict[str, Any]:
    """ListWebhookEventTypes."""
    return webhook_endpoints.list_webhook_event_types(services.current())
