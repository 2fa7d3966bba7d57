"""The routes of `/v1/webhooks`, where the provider tells us, and `/v1/webhook_endpoints`, where we tell a tenant."""

from typing import Any

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from batchyard import services
from batchyard.api import webhook_endpoints
from batchyard.api.app import body, headers, optional_body, query, raw_body, tenant
from batchyard.webhooks.receive import receive

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # powertools leaves it untyped


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
