"""Take a provider's webhook: a hint that one of our provider batches has ended. The truth is asked for, never taken from it.

Signatures follow Standard Webhooks, as OpenAI's do: https://platform.openai.com/docs/guides/webhooks
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from batchyard.domain import nesting
from batchyard.domain.errors import ApiError, NotFound
from batchyard.observability import logger
from batchyard.services import Services

BATCH_EVENTS: Final = "batch."
KEEP_IDS: Final = 7 * 86_400  # seconds a webhook-id is remembered; OpenAI repeats one for 72 hours
LONGEST_ID: Final = 512
HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
ONCE_IN: Final = 60  # seconds; whoever forges webhooks shall not have us read the secret each time


class _Data(msgspec.Struct, frozen=True):
    id: str = ""


class _Event(msgspec.Struct, frozen=True):
    """What we read of an event."""

    type: str
    data: _Data = _Data()


def receive(services: Services, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Have the shard that waits for this event looked after at once; raises ApiError 400 for what the provider did not sign.

    An event that was taken before, or is about nothing of ours, is answered alike: the provider shall not repeat it.
    """
    _check_headers(headers)
    _verify(services, headers, body)
    webhook_id = headers["webhook-id"][:LONGEST_ID]
    event = _read(body)
    if event.type.startswith(BATCH_EVENTS) and not _taken(services, webhook_id):
        _pass_on(services, event.data.id)
        services.batch_store.put_once({
            "pk": f"WEBHOOK#{webhook_id}", "sk": "WEBHOOK", "expires_at_ttl": services.now() + KEEP_IDS,
        })  # fmt: skip
    return {"received": True}


def _check_headers(headers: Mapping[str, str]) -> None:
    """Name the headers that every signed webhook has and this one lacks."""
    absent = ", ".join(f"'{name}'" for name in HEADERS if not headers.get(name))
    if absent:
        message = f"Headers of a signed webhook are missing: {absent}. Is it the provider that sends it?"
        raise ApiError(HTTPStatus.BAD_REQUEST, message, code="invalid_webhook_signature")


def _verify(services: Services, headers: Mapping[str, str], body: bytes) -> None:
    """Compare with each secret there is; if none fits, they may have been rotated and are read anew."""
    if _signed(services.webhook_secret(), headers, body):
        return
    if services.webhook_secret.forget(ONCE_IN) and _signed(services.webhook_secret(), headers, body):
        return
    message = "The signature does not fit. Is the endpoint's signing secret the one this service was given?"
    raise ApiError(HTTPStatus.BAD_REQUEST, message, code="invalid_webhook_signature")


def _signed(secrets: str, headers: Mapping[str, str], body: bytes) -> bool:
    return any(_signed_with(secret, headers, body) for secret in secrets.split())


def _signed_with(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        # A secret without the prefix is its own bytes, as OpenAI's SDK takes it.
        key = secret if secret.startswith("whsec_") else secret.encode()
        Webhook(key).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # malformed headers and bodies that are no text
        return False
    return True


def _read(body: bytes) -> _Event:
    try:
        event: _Event = nesting.decode(body, _Event)
    except ValueError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"The body is no webhook event: {error}.") from error
    return event


def _taken(services: Services, webhook_id: str) -> bool:
    try:
        services.batch_store.item(f"WEBHOOK#{webhook_id}", "WEBHOOK")
    except NotFound:
        return False
    return True


def _pass_on(services: Services, provider_batch_id: str) -> None:
    """Find whose the provider batch is; one that is not recorded yet is left to its poll."""
    try:
        link = services.batch_store.item(f"PROVIDER#{provider_batch_id}", "LINK")
    except NotFound:
        logger.info("webhook about nothing of ours")
        return
    services.advance_function.invoke({"batch_id": link["batch_id"], "shard": link["shard"]})
