"""Tell webhook endpoints that a batch has ended, with signatures as Standard Webhooks says."""

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec
import requests

from local.emulator import identifiers
from local.emulator.batches import Batch

EVENT_TYPES = ("batch.completed", "batch.failed", "batch.expired", "batch.cancelled")
_TRIES = 6
_FIRST_WAIT_SECONDS = 0.2
_TOO_OLD_SECONDS = 301


def new_secret() -> str:
    """Return a signing secret: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Endpoint:
    """A webhook endpoint of the user."""

    url: str
    name: str
    created_at: int
    #: The types of the events that are sent to it.
    event_types: list[str] = field(default_factory=lambda: list(EVENT_TYPES))
    #: The secrets that sign: one, or two while a secret is being replaced.
    secrets: list[str] = field(default_factory=lambda: [new_secret()])
    id: str = field(default_factory=lambda: identifiers.hex_id("we_"))
    updated_at: int | None = None

    def wire(self) -> dict[str, Any]:
        """Return the webhook endpoint of the API, without the secret."""
        return {
            "id": self.id,
            "object": "webhook_endpoint",
            "created_at": self.created_at,
            "updated_at": self.updated_at or self.created_at,
            "event_types": self.event_types,
            "name": self.name,
            "url": self.url,
            "signing_secret_hint": self.secrets[0][-4:],
        }


def sign(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """Return one `v1,…` signature over the id, the timestamp and the raw body."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def event(kind: str, batch_id: str, now: int) -> dict[str, Any]:
    """Return the payload of an event, which has only the id of the batch; a GET shows the rest."""
    return {
        "id": identifiers.hex_id("evt_"),
        "object": "event",
        "type": kind,
        "created_at": now,
        "data": {"id": batch_id},
    }


def announce(endpoints: list[Endpoint], batch: Batch, now: int) -> None:
    """Send the event of an ended batch, in the background, to every endpoint with its type."""
    manner = batch.fault.webhook
    if manner == "lost":
        return
    payload = event(f"batch.{batch.status}", batch.id, now)
    for endpoint in endpoints:
        if payload["type"] in endpoint.event_types:
            for _ in range(2 if manner == "twice" else 1):
                delivery = (endpoint.url, *signed(endpoint, payload, now, manner))
                threading.Thread(target=_deliver, args=delivery, daemon=True).start()


def signed(
    endpoint: Endpoint, payload: dict[str, Any], now: int, manner: str | None = None
) -> tuple[bytes, dict[str, str]]:
    """Return the body and headers of one delivery, with one signature for each secret unless `manner` forges them."""
    body = msgspec.json.encode(payload)
    timestamp = now - _TOO_OLD_SECONDS if manner == "late" else now
    keys = [new_secret()] if manner == "forged" else endpoint.secrets
    return body, {
        "content-type": "application/json",
        "user-agent": "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)",
        "webhook-id": payload["id"],
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, payload["id"], timestamp, body) for secret in keys),
    }


def post(url: str, body: bytes, headers: dict[str, str]) -> int | None:
    """Deliver once, and return the status; None if nothing answered."""
    try:
        return requests.post(url, data=body, headers=headers, timeout=5, allow_redirects=False).status_code
    except requests.RequestException:
        return None


def _deliver(url: str, body: bytes, headers: dict[str, str]) -> None:
    """Deliver with growing waits until a 2xx, for about 12 seconds; the real service tries for 72 hours."""
    for wait in range(_TRIES):
        status = post(url, body, headers)
        if status is not None and 200 <= status < 300:
            return
        time.sleep(_FIRST_WAIT_SECONDS * 2**wait)


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return secret.encode()
