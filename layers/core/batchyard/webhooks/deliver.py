"""Deliver one event to one webhook endpoint: one attempt; the state machine repeats it for three days."""

from http import HTTPStatus

from batchyard.domain.errors import DeliveryFailed, NotFound, StaleRecord
from batchyard.domain.webhook_delivery import DELIVERED, FAILED, Delivery, DeliveryRequest, headers
from batchyard.domain.webhook_endpoint import WebhookEndpoint, secrets_of
from batchyard.domain.webhook_url import wrong_url
from batchyard.observability import logger
from batchyard.services import Services

GONE = "The endpoint was deleted before it took the event."


def deliver(services: Services, order: DeliveryRequest) -> str:
    """Send an event unless it was taken already, and return how its delivery stands; raises DeliveryFailed to be repeated.

    The attempt is recorded before it is made: one that dies on the way counts.
    """
    delivery = services.webhook_store.delivery(order.endpoint_id, order.event)
    if delivery.state == DELIVERED:
        return DELIVERED
    try:
        endpoint = services.webhook_store.endpoint(order.tenant, order.endpoint_id)
    except NotFound:
        return _ended(services, delivery, FAILED, last_error=GONE)
    delivery = services.webhook_store.attempt(delivery, services.now())
    status = _send(services, endpoint, delivery)
    return _ended(services, delivery, DELIVERED, last_status=status, delivered_at=services.now())


def end_delivery(services: Services, order: DeliveryRequest) -> str:
    """Record that the last attempt has failed, and return how the delivery stands."""
    return _ended(services, services.webhook_store.delivery(order.endpoint_id, order.event), FAILED)


def _send(services: Services, endpoint: WebhookEndpoint, delivery: Delivery) -> int:
    """Post the event and return the status of success; raises DeliveryFailed once any other is recorded."""
    try:
        status = post(services, endpoint, delivery)
    except DeliveryFailed as error:
        _missed(services, delivery, None, str(error))
        raise
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        message = f"{endpoint.endpoint_id} answered {status}; success is 2xx, and no redirect is followed."
        _missed(services, delivery, status, message)
        raise DeliveryFailed(message)
    return status


def post(services: Services, endpoint: WebhookEndpoint, delivery: Delivery) -> int:
    """Post an event, signed now, and return the status; raises DeliveryFailed where there is no answer."""
    wrong = wrong_url(
        endpoint.url, private=services.settings.private_webhooks
    )  # the rules may be stricter than when it came
    if wrong is not None:
        raise DeliveryFailed(wrong.message)
    secrets = secrets_of(services.signing_secret(), endpoint, services.now())
    return services.webhook_sender.post(
        endpoint.url, headers(delivery.event, secrets, services.clock()), delivery.event.body()
    )


def _missed(services: Services, delivery: Delivery, status: int | None, message: str) -> None:
    logger.info("webhook not taken", endpoint_id=delivery.endpoint_id, attempt=delivery.attempts, status=status)
    try:
        services.webhook_store.note(delivery, last_status=status, last_error=message)
    except StaleRecord:
        logger.info("webhook taken from another worker", endpoint_id=delivery.endpoint_id)


def _ended(services: Services, delivery: Delivery, state: str, **changes: object) -> str:
    try:
        return services.webhook_store.note(delivery, state=state, **changes).state
    except StaleRecord:  # another worker's attempt was taken meanwhile
        return DELIVERED
