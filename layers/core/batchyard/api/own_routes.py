"""The routes that are Batchyard's own, as `openapi.json` describes them; added to those of `routes`."""

from typing import Any

from batchyard import services
from batchyard.api import batches, files, message_batches, openapi, own_keys, presigned, usage, webhook_endpoints
from batchyard.api.routes import router
from batchyard.gateway.request import JSON, Request
from batchyard.gateway.response import Response, inline_or_elsewhere
from batchyard.message_batches.results import response_of
from batchyard.webhooks.receive import receive

__all__ = ["router"]


# The API itself


@router.add("GET", "/health", locked=False)
@router.add("GET", "/v1/health", locked=False)
def health(_: Request) -> dict[str, Any]:
    """Say that the API answers."""
    return {"status": "ok"}


@router.add("GET", "/v1/openapi.json", locked=False)
def describe(_: Request) -> Response:
    """Describe the API."""
    return Response(openapi.served(services.current()))


# What becomes of a batch, and what is inside


@router.add("POST", "/v1/batches/{batch_id}/resume")
def resume_batch(request: Request, batch_id: str) -> dict[str, Any]:
    """Resume a paused batch; ours, not OpenAI's."""
    return batches.resume_batch(services.current(), request.tenant, batch_id, request.optional_body())


@router.add("POST", "/v1/batches/{batch_id}/retry")
def retry_batch(request: Request, batch_id: str) -> dict[str, Any]:
    """Send again what has no good answer in an ended batch; ours, not OpenAI's."""
    return batches.retry_batch(
        services.current(), request.tenant, batch_id, request.optional_body(), request.header("idempotency-key")
    )


@router.add("GET", "/v1/batches/{batch_id}/report")
def batch_report(request: Request, batch_id: str) -> Response:
    """RetrieveReport."""
    return inline_or_elsewhere(
        batches.batch_report(services.current(), request.tenant, batch_id, gzip=request.takes_gzip()), JSON
    )


@router.add("GET", "/v1/batches/{batch_id}/results")
def batch_rows(request: Request, batch_id: str) -> Response:
    """Read the results as far as they are complete; ours, not OpenAI's."""
    after, limit = request.query("after"), request.query("limit")
    found = batches.batch_rows(services.current(), request.tenant, batch_id, after, limit)
    return found.response(packed=request.takes_gzip())


@router.add("GET", "/v1/batches/{batch_id}/shards")
def list_shards(request: Request, batch_id: str) -> dict[str, Any]:
    """List the shards of a batch; ours, not OpenAI's."""
    after, limit, provider = (request.query(name) for name in ("after", "limit", "provider"))
    return batches.batch_shards(services.current(), request.tenant, batch_id, after, limit, provider)


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


# Files by address, and usage


@router.add("POST", "/v1/uploads/presign")
def presign_file(request: Request) -> dict[str, Any]:
    """PresignFile."""
    return presigned.presign_file(services.current(), request.tenant, request.body())


@router.add("GET", "/v1/usage")
def retrieve_usage(request: Request) -> dict[str, Any]:
    """Sum up tokens and dollars; ours, not OpenAI's."""
    return usage.usage(
        services.current(), request.tenant, request.query("from"), request.query("to"), request.query("group_by")
    )


# Anthropic's message batches


@router.add("POST", "/v1/messages/batches")
def create_message_batch(request: Request) -> dict[str, Any]:
    """Create a batch as Anthropic's API does."""
    message_batches.check_headers(request.header("anthropic-beta"), request.header("anthropic-user-profile-id"))
    return message_batches.create(
        services.current(), request.tenant, request.body(), request.raw_body(), request.origin,
        request.header("idempotency-key"),
    )  # fmt: skip


@router.add("GET", "/v1/messages/batches")
def list_message_batches(request: Request) -> dict[str, Any]:
    """List batches as Anthropic's API does."""
    asked = {name: request.query(name) for name in ("after_id", "before_id", "limit")}
    return message_batches.list_batches(services.current(), request.tenant, request.origin, **asked)


@router.add("GET", "/v1/messages/batches/{message_batch_id}")
def retrieve_message_batch(request: Request, message_batch_id: str) -> dict[str, Any]:
    """Show a batch as Anthropic's API does."""
    return message_batches.retrieve(services.current(), request.tenant, message_batch_id, request.origin)


@router.add("POST", "/v1/messages/batches/{message_batch_id}/cancel")
def cancel_message_batch(request: Request, message_batch_id: str) -> dict[str, Any]:
    """Cancel a batch as Anthropic's API does."""
    return message_batches.cancel(services.current(), request.tenant, message_batch_id, request.origin)


@router.add("GET", "/v1/messages/batches/{message_batch_id}/results")
def message_batch_results(request: Request, message_batch_id: str) -> Response:
    """Hand out results as Anthropic's API does."""
    found = message_batches.results(services.current(), request.tenant, message_batch_id, gzip=request.takes_gzip())
    return response_of(found, request)


@router.add("DELETE", "/v1/messages/batches/{message_batch_id}")
def delete_message_batch(request: Request, message_batch_id: str) -> dict[str, Any]:
    """Delete a batch as Anthropic's API does."""
    return message_batches.delete(services.current(), request.tenant, message_batch_id)


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


# API keys of the tenant


@router.add("GET", "/v1/api_keys")
def list_api_keys(request: Request) -> dict[str, Any]:
    """List the keys of the tenant; ours, not OpenAI's."""
    return own_keys.list_api_keys(services.current(), request.caller, request.query("after"), request.query("limit"))


@router.add("POST", "/v1/api_keys")
def create_api_key(request: Request) -> dict[str, Any]:
    """Make a key of the tenant; ours, not OpenAI's."""
    return own_keys.create_api_key(services.current(), request.caller, request.optional_body())


@router.add("POST", "/v1/api_keys/{key_id}/revoke")
def revoke_api_key(request: Request, key_id: str) -> dict[str, Any]:
    """Revoke a key of the tenant; ours, not OpenAI's."""
    return own_keys.revoke_api_key(services.current(), request.caller, key_id, request.optional_body())
