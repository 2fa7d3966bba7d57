"""A tenant's webhook endpoint: its record, its shape in OpenAI's API, and its signing secret.

The signing secret is stored nowhere: it is derived from the secret of the stack and the endpoint's generation.
"""

import base64
import hashlib
import hmac
import re
from typing import Any, Final

import msgspec

from batchyard.domain.durations import DAY

# OpenAI's event types of batches. A batch of ours never expires: lines that expire at the provider are sent again.
EVENT_TYPES: Final = ("batch.completed", "batch.failed", "batch.cancelled", "batch.expired")
ENDPOINT_ID: Final = re.compile(r"we_[0-9a-f]{32}")
MOST_ENDPOINTS: Final = 10  # of one tenant
OVERLAP: Final = DAY  # an old secret may stay good
SHOWN_OF_SECRET: Final = 4
PREFIX: Final = "whsec_"


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The record `WEBHOOKS#<tenant>` / `ENDPOINT#<id>`. Times are Unix seconds."""

    endpoint_id: str
    tenant: str
    name: str
    url: str
    event_types: list[str]
    created_at: int
    updated_at: int
    #: Counts the secrets of the endpoint, from 1; a rotation makes the next one.
    generation: int = 1
    #: The secret before is good until then.
    previous_until: int = 0
    #: The end of the secret, as shown to the tenant.
    hint: str = ""
    deleted_at: int | None = None
    #: When DynamoDB may drop the record.
    expires_at_ttl: int | None = None


def shape(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Shape OpenAI's `webhook_endpoint`."""
    return {
        "id": endpoint.endpoint_id,
        "object": "webhook_endpoint",
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
        "name": endpoint.name,
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "signing_secret_hint": f"{PREFIX}…{endpoint.hint}",
    }


def secret_of(root: str, endpoint_id: str, generation: int) -> str:
    """Derive the signing secret of an endpoint, as `whsec_…`, from `root`, the secret of the stack."""
    derived = hmac.new(root.encode(), f"{endpoint_id}.{generation}".encode(), hashlib.sha256).digest()
    return PREFIX + base64.b64encode(derived).decode()


def hint_of(secret: str) -> str:
    """Return the end of a secret, by which its owner knows it."""
    return secret.rstrip("=")[-SHOWN_OF_SECRET:]


def secrets_of(root: str, endpoint: WebhookEndpoint, now: int) -> list[str]:
    """Return the secrets that are good now, the newest first."""
    both = endpoint.generation > 1 and now < endpoint.previous_until
    generations = [endpoint.generation, *([endpoint.generation - 1] if both else [])]
    return [secret_of(root, endpoint.endpoint_id, generation) for generation in generations]
