"""The management API of webhook endpoints."""

import asyncio
from typing import Any

from starlette.requests import Request

from local.emulator import webhooks
from local.emulator.batches_api import json_object
from local.emulator.errors import ApiError, missing_parameter, no_such_endpoint
from local.emulator.paging import page
from local.emulator.reply import Reply
from local.emulator.state import State
from local.emulator.webhooks import EVENT_TYPES, Endpoint


async def create_webhook_endpoint(state: State, request: Request) -> Reply:
    """Make an endpoint; only this answer and the answer of a rotation show the signing secret."""
    body = await json_object(request)
    for name in ("url", "name", "event_types"):
        if body.get(name) is None:
            raise missing_parameter(name)
    _check_event_types(body["event_types"])
    endpoint = Endpoint(body["url"], body["name"], state.clock.seconds(), body["event_types"])
    state.webhook_endpoints[endpoint.id] = endpoint
    return Reply({**endpoint.wire(), "signing_secret": endpoint.secrets[0]}, made=endpoint.id)


async def list_webhook_endpoints(state: State, request: Request) -> Reply:
    """Answer one page of endpoints, newest first."""
    endpoints = [endpoint.wire() for endpoint in reversed(list(state.webhook_endpoints.values()))]
    return Reply(page(request, endpoints, no_such_endpoint, default=20, most=100))


async def list_webhook_event_types(_: State, __: Request) -> Reply:
    """Answer the event types that an endpoint may name."""
    return Reply({"object": "list", "data": list(EVENT_TYPES)})


async def retrieve_webhook_endpoint(state: State, request: Request) -> Reply:
    """Answer one endpoint."""
    return Reply(_endpoint(state, request).wire())


async def update_webhook_endpoint(state: State, request: Request) -> Reply:
    """Change the url, the name or the event types of an endpoint."""
    endpoint, body = _endpoint(state, request), await json_object(request)
    _check_event_types(body.get("event_types") or list(EVENT_TYPES))
    for name in ("url", "name", "event_types"):
        if body.get(name) is not None:
            setattr(endpoint, name, body[name])
    endpoint.updated_at = state.clock.seconds()
    return Reply(endpoint.wire())


async def delete_webhook_endpoint(state: State, request: Request) -> Reply:
    """Delete an endpoint."""
    endpoint = _endpoint(state, request)
    del state.webhook_endpoints[endpoint.id]
    return Reply({"id": endpoint.id, "object": "webhook_endpoint.deleted", "deleted": True})


async def rotate_webhook_secret(state: State, request: Request) -> Reply:
    """Give an endpoint a new secret; the old one signs too if the request keeps it active."""
    endpoint = _endpoint(state, request)
    body: dict[str, Any] = await json_object(request) if await request.body() else {}
    kept = endpoint.secrets[:1] if body.get("keep_old_secret_active_for_24_hours") else []
    endpoint.secrets = [webhooks.new_secret(), *kept]
    endpoint.updated_at = state.clock.seconds()
    return Reply({**endpoint.wire(), "signing_secret": endpoint.secrets[0]})


async def test_webhook_endpoint(state: State, request: Request) -> Reply:
    """Send an example event once, and answer its status; answer 400 if nothing answered."""
    endpoint, body = _endpoint(state, request), await json_object(request)
    _check_event_types([body.get("event_type")])
    now = state.clock.seconds()
    delivery = webhooks.signed(endpoint, webhooks.event(body["event_type"], "batch_example", now), now)
    status = await asyncio.to_thread(webhooks.post, endpoint.url, *delivery)
    if status is None:
        raise ApiError(400, "The webhook endpoint did not answer.", param="url")
    result = {"event_type": body["event_type"], "status_code": status, "webhook_endpoint_id": endpoint.id}
    return Reply({"object": "webhook_endpoint.test", "success": True, **result})


def _endpoint(state: State, request: Request) -> Endpoint:
    endpoint_id = request.path_params["endpoint_id"]
    try:
        return state.webhook_endpoints[endpoint_id]
    except KeyError:
        raise no_such_endpoint(endpoint_id) from None


def _check_event_types(kinds: object) -> None:
    if not isinstance(kinds, list) or any(kind not in EVENT_TYPES for kind in kinds):
        listed = ", ".join(f"'{kind}'" for kind in EVENT_TYPES)
        raise ApiError(400, f"Supported event types are: {listed}.", param="event_types", code="invalid_value")
