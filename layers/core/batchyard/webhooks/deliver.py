"""One attempt to deliver one event to one webhook endpoint; the state machine repeats it for three days."""

from http import HTTPStatus
from typing import Any, Final

from batchyard.domain import nesting
from batchyard.domain.errors import DeliveryFailed, NotFound, SecretMissing, StaleRecord
from batchyard.domain.webhook_delivery import CHAT, DELIVERED, FAILED, USER_AGENT, Delivery, DeliveryRequest, headers
from batchyard.domain.webhook_endpoint import WebhookEndpoint, secrets_of, wrong_url
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.webhooks.notification import TEAMS, Notification, slack, teams

GONE: Final = "The endpoint was deleted before it took the event."
NO_CHAT: Final = "The address of the chat is not stored: make provider-key CHAT=1 stores it."
READ_EVERY: Final = 60  # seconds; the address of the chat may be replaced while a function runs


def deliver(services: Services, request: DeliveryRequest) -> str:
    """Send an event unless it is delivered already, and return the state of the delivery; raises DeliveryFailed to be repeated.

    The attempt is recorded before it is made, so that an attempt that dies counts.
    """
    delivery = services.webhook_store.delivery(request.endpoint_id, request.event)
    if delivery.state == DELIVERED:
        return DELIVERED
    try:
        endpoint = _endpoint(services, request)
    except SecretMissing:
        logger.warning("no address of a chat is stored", secret=services.chat_secret.name)
        return _end(services, delivery, FAILED, last_error=NO_CHAT)
    except NotFound:
        return _end(services, delivery, FAILED, last_error=GONE)
    delivery = services.webhook_store.attempt(delivery, services.now())
    status = _send(services, endpoint, delivery)
    return _end(services, delivery, DELIVERED, last_status=status, delivered_at=services.now())


def end_delivery(services: Services, request: DeliveryRequest) -> str:
    """Record that the last attempt has failed, and return the state of the delivery."""
    return _end(services, services.webhook_store.delivery(request.endpoint_id, request.event), FAILED)


def _endpoint(services: Services, request: DeliveryRequest) -> WebhookEndpoint:
    """Find where an event goes; raises NotFound, or SecretMissing for a chat whose address is not stored."""
    if request.endpoint_id != CHAT:
        return services.webhook_store.endpoint(request.tenant, request.endpoint_id)
    services.chat_secret.forget(READ_EVERY)
    of_chat: dict[str, Any] = {
        "tenant": request.tenant,
        "name": CHAT,
        "event_types": [],
        "created_at": 0,
        "updated_at": 0,
    }
    return WebhookEndpoint(endpoint_id=CHAT, url=services.chat_secret(), **of_chat)


def _send(services: Services, endpoint: WebhookEndpoint, delivery: Delivery) -> int:
    """Post the event and return the status, a success; any other is recorded, and raises DeliveryFailed."""
    try:
        status = post(services, endpoint, delivery)
    except DeliveryFailed as error:
        _record_failure(services, delivery, None, str(error))
        raise
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        message = f"{endpoint.endpoint_id} answered {status}; success is 2xx, and no redirect is followed."
        _record_failure(services, delivery, status, message)
        raise DeliveryFailed(message)
    return status


def post(services: Services, endpoint: WebhookEndpoint, delivery: Delivery) -> int:
    """Post an event, signed now, or its words to a chat; return the status, or raise DeliveryFailed if there is no answer."""
    # The rules may have become stricter since the endpoint was registered.
    wrong = wrong_url(endpoint.url, private=services.settings.private_webhooks)
    if wrong is not None:
        raise DeliveryFailed(wrong.message)
    if endpoint.endpoint_id == CHAT:
        told = nesting.decode(delivery.event.data or "", Notification)
        said = teams(told) if services.settings.notify_chat == TEAMS else slack(told)
        return services.webhook_sender.post(
            endpoint.url, {"content-type": "application/json", "user-agent": USER_AGENT}, said
        )
    secrets = secrets_of(services.signing_secret(), endpoint, services.now())
    return services.webhook_sender.post(
        endpoint.url, headers(delivery.event, secrets, services.clock()), delivery.event.body()
    )


def _record_failure(services: Services, delivery: Delivery, status: int | None, message: str) -> None:
    logger.info("webhook not delivered", endpoint_id=delivery.endpoint_id, attempt=delivery.attempts, status=status)
    try:
        services.webhook_store.note(delivery, last_status=status, last_error=message)
    except StaleRecord:
        logger.info("webhook delivered by another worker", endpoint_id=delivery.endpoint_id)


def _end(services: Services, delivery: Delivery, state: str, **changes: object) -> str:
    try:
        return services.webhook_store.note(delivery, state=state, **changes).state
    except StaleRecord:  # another worker has delivered the event meanwhile
        return DELIVERED
