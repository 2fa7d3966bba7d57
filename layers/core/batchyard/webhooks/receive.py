"""The provider's webhook: a hint that a provider batch has ended. What happened is read from the provider itself.

Signatures follow Standard Webhooks, as OpenAI's webhooks do: https://platform.openai.com/docs/guides/webhooks
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from batchyard.domain import nesting
from batchyard.domain.errors import ApiError
from batchyard.domain.numbers import DAY
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.webhooks.owners import owners_of

BATCH_EVENTS: Final = "batch."
KEEP_IDS: Final = 7 * DAY  # a webhook-id is remembered; OpenAI repeats a webhook for three days
LONGEST_ID: Final = 512
HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
READ_EVERY: Final = 60  # seconds; a forged webhook must not make us read the secret each time


class _Data(msgspec.Struct, frozen=True):
    id: str = ""


class _Event(msgspec.Struct, frozen=True):
    """The members of an event that we read."""

    type: str
    data: _Data = _Data()


def receive(services: Services, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Ask for the next step of the shard that the event is about; raises ApiError 400 if the provider did not sign it.

    An event that was taken before, or is not about us, gets the same answer, so that the provider does not repeat it.
    """
    _check_headers(headers)
    _verify(services, headers, body)
    webhook_id = headers["webhook-id"][:LONGEST_ID]
    event = _read(body)
    if event.type.startswith(BATCH_EVENTS) and not services.webhook_receipts.has(webhook_id):
        _advance(services, event.data.id)
        services.webhook_receipts.record(webhook_id, services.now() + KEEP_IDS)
    return {"received": True}


def _check_headers(headers: Mapping[str, str]) -> None:
    """Raise ApiError 400, which names the missing headers, if the webhook is not signed."""
    absent = ", ".join(f"'{name}'" for name in HEADERS if not headers.get(name))
    if absent:
        message = f"Headers of a signed webhook are missing: {absent}. Is it the provider that sends it?"
        raise ApiError(HTTPStatus.BAD_REQUEST, message, code="invalid_webhook_signature")


def _verify(services: Services, headers: Mapping[str, str], body: bytes) -> None:
    """Check the signature with each secret; if none fits, read the secrets again, for they may be rotated."""
    if _signed(_secrets(services), headers, body):
        return
    if services.webhook_secret.forget(READ_EVERY) and _signed(_secrets(services), headers, body):
        return
    message = "The signature does not fit. Is the endpoint's signing secret the one this service was given?"
    raise ApiError(HTTPStatus.BAD_REQUEST, message, code="invalid_webhook_signature")


def _secrets(services: Services) -> str:
    """Return the secrets; without any, no signature fits."""
    found = services.webhook_secret.if_stored(READ_EVERY)
    if found is None:
        logger.warning("no secret of the provider's webhooks is stored", secret=services.webhook_secret.name)
    return found or ""


def _signed(secrets: str, headers: Mapping[str, str], body: bytes) -> bool:
    return any(_signed_with(secret, headers, body) for secret in secrets.split())


def _signed_with(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        # A secret without the prefix is its own bytes, as OpenAI's SDK takes it.
        key = secret if secret.startswith("whsec_") else secret.encode()
        Webhook(key).verify(body, dict(headers), json_parse=False)
    except (
        WebhookVerificationError,
        EmptyWebhookSecretError,
        ValueError,
    ):  # ValueError: malformed headers or secret, or no text
        return False
    return True


def _read(body: bytes) -> _Event:
    try:
        event: _Event = nesting.decode(body, _Event)
    except ValueError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"The body is no webhook event: {error}.") from error
    return event


def _advance(services: Services, provider_batch_id: str) -> None:
    """Ask for the next step of the shard of a provider batch; a provider batch that is not recorded yet is left to Poll."""
    owners = owners_of(services, provider_batch_id)
    if not owners:
        logger.info("webhook about nothing of ours")
    for owner in owners:
        services.advance_function.invoke(owner._asdict())
