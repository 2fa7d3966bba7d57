"""OpenAI's operations on webhook endpoints, and how deliveries stand."""

import secrets
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from batchyard.api.tenancy import own
from batchyard.costs.bill import bill_day
from batchyard.costs.budget import BUDGET_WARNING, month_of
from batchyard.domain import webhook_delivery, webhook_endpoint
from batchyard.domain.errors import ApiError, DeliveryFailed, StaleRecord
from batchyard.domain.numbers import DAY
from batchyard.domain.webhook_delivery import WebhookEvent
from batchyard.domain.webhook_endpoint import (
    ENDPOINT_ID,
    MOST_ENDPOINTS,
    OVERLAP,
    WebhookEndpoint,
    shape,
)
from batchyard.gateway.paging import LIMITS, page, page_limit
from batchyard.services import Services
from batchyard.webhooks import rules as webhook_rules
from batchyard.webhooks.deliver import post
from batchyard.webhooks.rules import check, unknown

MOST_DELIVERIES: Final = 100
KEEP_DELETED: Final = 7 * DAY  # deliveries under way last three days


def create_webhook_endpoint(services: Services, tenant: str, body: object) -> dict[str, Any]:
    """Register an endpoint and return it with its signing secret, which is shown only now."""
    wanted = check(body, whole=True, private=services.settings.private_webhooks)
    endpoint_id, now = f"we_{secrets.token_hex(16)}", services.now()
    secret = webhook_endpoint.secret_of(services.signing_secret(), endpoint_id, 1)
    made = WebhookEndpoint(
        endpoint_id=endpoint_id, tenant=tenant, created_at=now, updated_at=now, hint=webhook_endpoint.hint_of(secret),
        **wanted.members(),
    )  # fmt: skip
    if not services.webhook_store.create(made):
        message = f"There are {MOST_ENDPOINTS} webhook endpoints already, the most there may be. Delete one first."
        raise ApiError(HTTPStatus.FORBIDDEN, message, code="webhook_endpoints_limit_exceeded")
    return {**shape(made), "signing_secret": secret}


def list_webhook_endpoints(services: Services, tenant: str, after: str | None, limit: str | None) -> dict[str, Any]:
    """List the tenant's endpoints, newest first, behind the endpoint `after`."""
    count, every = page_limit(limit, *LIMITS), services.webhook_store.endpoints(tenant)
    ids = [each.endpoint_id for each in every]
    if after is not None and after not in ids:
        raise unknown(after)
    rest = every[ids.index(after) + 1 :] if after is not None else every
    return page([shape(each) for each in rest[:count]], more=len(rest) > count > 0)


def retrieve_webhook_endpoint(services: Services, tenant: str, endpoint_id: str) -> dict[str, Any]:
    """Show an endpoint; raises ApiError 404 if the tenant has no such endpoint."""
    return shape(_own(services, tenant, endpoint_id))


def update_webhook_endpoint(services: Services, tenant: str, endpoint_id: str, body: object) -> dict[str, Any]:
    """Change the name, the URL or the event types of an endpoint; the secret stays."""
    endpoint = _own(services, tenant, endpoint_id)
    wanted = check(body, whole=False, private=services.settings.private_webhooks).members()
    changed = {name: value for name, value in wanted.items() if value != getattr(endpoint, name)}
    return shape(_change(services, endpoint, **changed) if changed else endpoint)


def delete_webhook_endpoint(services: Services, tenant: str, endpoint_id: str) -> dict[str, Any]:
    """Delete an endpoint; events that are not delivered yet are not delivered any more."""
    endpoint = _own(services, tenant, endpoint_id)
    try:
        services.webhook_store.delete(endpoint, services.now(), services.now() + KEEP_DELETED)
    except StaleRecord as error:
        raise _overtaken() from error
    return {"id": endpoint_id, "object": "webhook_endpoint.deleted", "deleted": True}


def rotate_webhook_secret(services: Services, tenant: str, endpoint_id: str, body: object) -> dict[str, Any]:
    """Give an endpoint a new secret, which is shown only now; the old secret ends now, or a day later if so asked."""
    endpoint = _own(services, tenant, endpoint_id)
    kept_until = services.now() + OVERLAP if webhook_rules.check_keeping(body) else 0
    generation = endpoint.generation + 1
    secret = webhook_endpoint.secret_of(services.signing_secret(), endpoint_id, generation)
    hint = webhook_endpoint.hint_of(secret)
    changed = _change(services, endpoint, generation=generation, previous_until=kept_until, hint=hint)
    return {**shape(changed), "signing_secret": secret}


def test_webhook_endpoint(services: Services, tenant: str, endpoint_id: str, body: object) -> dict[str, Any]:
    """Send a made-up event once and show the status that the endpoint answers; raises ApiError 400 if it does not answer."""
    endpoint = _own(services, tenant, endpoint_id)
    event_type = webhook_rules.check_event_type(body)
    event = _made_up(event_type, services.now())
    try:
        status = post(services, endpoint, webhook_delivery.new(event, tenant, endpoint_id, services.now()))
    except DeliveryFailed as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, str(error), code="webhook_test_failed", param="url") from error
    return {
        "object": "webhook_endpoint.test", "webhook_endpoint_id": endpoint_id, "event_type": event_type,
        "status_code": status, "success": True,
    }  # fmt: skip


def _made_up(event_type: str, now: int) -> WebhookEvent:
    if event_type != BUDGET_WARNING:
        return webhook_delivery.event_of(f"batch_{secrets.token_hex(16)}", event_type, now)
    amounts = {"percent": 80, "budget_usd": 250.0, "spent_usd": 204.5, "estimated_usd": 12.25}
    month = month_of(bill_day(now))
    return webhook_delivery.warning_of(
        {"id": f"evt_{secrets.token_hex(16)}", "created_at": now, "month": month, **amounts}
    )


def list_webhook_deliveries(services: Services, tenant: str, endpoint_id: str) -> dict[str, Any]:
    """List the last deliveries to an endpoint, newest first."""
    endpoint = _own(services, tenant, endpoint_id)
    found = services.webhook_store.deliveries(endpoint.endpoint_id, MOST_DELIVERIES + 1)
    shown = [webhook_delivery.shape(each) for each in found[:MOST_DELIVERIES]]
    return page(shown, more=len(found) > MOST_DELIVERIES)


def list_webhook_event_types(services: Services) -> dict[str, Any]:  # noqa: ARG001 - every operation takes the services
    """List the event types that an endpoint may name."""
    return {"object": "list", "data": list(webhook_endpoint.EVENT_TYPES)}


def _own(services: Services, tenant: str, endpoint_id: str) -> WebhookEndpoint:
    return own(tenant, endpoint_id, ENDPOINT_ID, partial(services.webhook_store.endpoint, tenant), unknown)


def _change(services: Services, endpoint: WebhookEndpoint, **changes: object) -> WebhookEndpoint:
    try:
        return services.webhook_store.change(endpoint, updated_at=services.now(), **changes)
    except StaleRecord as error:
        raise _overtaken() from error


def _overtaken() -> ApiError:
    message = "The webhook endpoint was deleted, or its secret rotated, by another request meanwhile. Look again."
    return ApiError(HTTPStatus.CONFLICT, message)
