"""The routes that are Batchyard's own: what is inside a batch, usage, and webhooks; added to those of `routes`."""

from typing import Any

from batchyard import services
from batchyard.api import batches, files, usage, webhook_endpoints
from batchyard.api.routes import router
from batchyard.gateway.request import Request
from batchyard.webhooks.receive import receive

__all__ = ["router"]

# Inside a batch, and the bytes of a file


@router.add("GET", "/v1/batches/{batch_id}/shards")
def list_shards(request: Request, batch_id: str) -> dict[str, Any]:
    """List the shards of a batch; ours, not OpenAI's."""
    return batches.batch_shards(
        services.current(), request.tenant, batch_id, request.query("after"), request.query("limit")
    )


@router.add("GET", "/v1/batches/{batch_id}/errors")
def list_errors(request: Request, batch_id: str) -> dict[str, Any]:
    """Count the errors of a batch by their code; ours, not OpenAI's."""
    return batches.batch_errors(services.current(), request.tenant, batch_id)


@router.add("GET", "/v1/batches/{batch_id}/lines")
def list_lines(request: Request, batch_id: str) -> dict[str, Any]:
    """List lines of a batch with their answers; ours, not OpenAI's."""
    return batches.batch_lines(
        services.current(), request.tenant, batch_id, request.query("from"), request.query("limit"),
        outcome=request.query("outcome"), custom_id=request.query("custom_id"),
    )  # fmt: skip


@router.add("GET", "/v1/files/{file_id}/link")
def link_file(request: Request, file_id: str) -> dict[str, Any]:
    """Link to the bytes of a file; ours, not OpenAI's."""
    return files.file_link(services.current(), request.tenant, file_id)


# Usage


@router.add("GET", "/v1/usage")
def retrieve_usage(request: Request) -> dict[str, Any]:
    """Sum up tokens and dollars; ours, not OpenAI's."""
    return usage.usage(
        services.current(), request.tenant, request.query("from"), request.query("to"), request.query("group_by")
    )


# Webhooks: the provider tells us, and we tell a tenant


@router.add("POST", "/v1/webhooks/provider", locked=False)
def receive_provider_webhook(request: Request) -> dict[str, Any]:
    """ReceiveProviderWebhook; its signature is checked in place of a key."""
    return receive(services.current(), request.headers, request.raw_body())


@router.add("POST", "/v1/webhook_endpoints")
def create_webhook_endpoint(request: Request) -> dict[str, Any]:
    """CreateWebhookEndpoint."""
    return webhook_endpoints.create_webhook_endpoint(services.current(), request.tenant, request.body())


@router.add("GET", "/v1/webhook_endpoints")
def list_webhook_endpoints(request: Request) -> dict[str, Any]:
    """ListWebhookEndpoints."""
    return webhook_endpoints.list_webhook_endpoints(
        services.current(), request.tenant, request.query("after"), request.query("limit")
    )


@router.add("GET", "/v1/webhook_endpoints/{webhook_endpoint_id}")
def retrieve_webhook_endpoint(request: Request, webhook_endpoint_id: str) -> dict[str, Any]:
    """RetrieveWebhookEndpoint."""
    return webhook_endpoints.retrieve_webhook_endpoint(services.current(), request.tenant, webhook_endpoint_id)


@router.add("POST", "/v1/webhook_endpoints/{webhook_endpoint_id}")
def update_webhook_endpoint(request: Request, webhook_endpoint_id: str) -> dict[str, Any]:
    """UpdateWebhookEndpoint."""
    return webhook_endpoints.update_webhook_endpoint(
        services.current(), request.tenant, webhook_endpoint_id, request.body()
    )


@router.add("DELETE", "/v1/webhook_endpoints/{webhook_endpoint_id}")
def delete_webhook_endpoint(request: Request, webhook_endpoint_id: str) -> dict[str, Any]:
    """DeleteWebhookEndpoint."""
    return webhook_endpoints.delete_webhook_endpoint(services.current(), request.tenant, webhook_endpoint_id)


@router.add("POST", "/v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret")
def rotate_webhook_secret(request: Request, webhook_endpoint_id: str) -> dict[str, Any]:
    """RotateWebhookSecret."""
    return webhook_endpoints.rotate_webhook_secret(
        services.current(), request.tenant, webhook_endpoint_id, request.optional_body()
    )


@router.add("POST", "/v1/webhook_endpoints/{webhook_endpoint_id}/test")
def test_webhook_endpoint(request: Request, webhook_endpoint_id: str) -> dict[str, Any]:
    """TestWebhookEndpoint."""
    return webhook_endpoints.test_webhook_endpoint(
        services.current(), request.tenant, webhook_endpoint_id, request.body()
    )


@router.add("GET", "/v1/webhook_endpoints/{webhook_endpoint_id}/deliveries")
def list_webhook_deliveries(request: Request, webhook_endpoint_id: str) -> dict[str, Any]:
    """ListWebhookDeliveries."""
    return webhook_endpoints.list_webhook_deliveries(services.current(), request.tenant, webhook_endpoint_id)


@router.add("GET", "/v1/webhook_event_types")
def list_webhook_event_types(_: Request) -> dict[str, Any]:
    """ListWebhookEventTypes."""
    return webhook_endpoints.list_webhook_event_types(services.current())
