"""The delivery of one event to one webhook endpoint: what is sent, how it is signed, and how the delivery stands.

Events have OpenAI's shape. Signatures follow Standard Webhooks: https://www.standardwebhooks.com
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from standardwebhooks.webhooks import Webhook

from batchyard.costs.budget import BUDGET_WARNING
from batchyard.domain import nesting
from batchyard.domain.numbers import DAY

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
KEEP: Final = 30 * DAY  # a delivery is shown
OF_WARNING: Final = ("month", "percent", "budget_usd", "spent_usd", "estimated_usd")  # what a warning tells a tenant
USER_AGENT: Final = "Batchyard/1.0 (webhooks)"
CHAT: Final = (
    "chat"  # the endpoint of whoever runs the stack: what it gets is notifications in words, which nobody signs
)


class WebhookEvent(msgspec.Struct, frozen=True):
    """One thing that happened to a batch or a budget; an event that is told twice has the same id."""

    event_id: str
    event_type: str
    #: None where the event is of no batch.
    batch_id: str | None
    created_at: int
    #: The members of `data` as JSON text, because the table holds whole numbers only; None: the id of the batch.
    data: str | None = None

    def body(self) -> bytes:
        """Return the bytes that are sent, the same at every attempt."""
        event = {
            "id": self.event_id, "object": "event", "type": self.event_type, "created_at": self.created_at,
            "data": {"id": self.batch_id} if self.data is None else nesting.decode(self.data),
        }  # fmt: skip
        return nesting.encode(event).encode()


class DeliveryRequest(msgspec.Struct, frozen=True):
    """What the state machine of deliveries carries: an event, and the endpoint that is told of it."""

    tenant: str
    endpoint_id: str
    event: WebhookEvent

    @property
    def name(self) -> str:
        """Name the execution, so that an event that is told twice is delivered once."""
        return f"{self.event.event_id}-{self.endpoint_id}"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The record `DELIVERIES#<endpoint id>` / `<time>#<event id>`. Times are Unix seconds."""

    event: WebhookEvent
    endpoint_id: str
    tenant: str
    created_at: int
    #: When DynamoDB may drop the record.
    expires_at_ttl: int
    state: str = PENDING
    attempts: int = 0
    last_attempt_at: int | None = None
    #: The HTTP status of the last attempt; None if there was no answer.
    last_status: int | None = None
    #: Why the last attempt failed, in words.
    last_error: str | None = None
    delivered_at: int | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """The record `NOTICE#<event id>` / `NOTICE`: a notification to people, which is told once. Times are Unix seconds."""

    #: Counts the notifications of its hour, from 1.
    number: int
    #: When it was taken.
    at: int
    #: When DynamoDB may drop the record.
    expires_at_ttl: int
    told: bool = False


def event_of(batch_id: str, event_type: str, created_at: int, schedule: str | None = None) -> WebhookEvent:
    """Return the event of the end of a batch, and of which schedule it is; the same one however often the bus tells it."""
    digest = hashlib.sha256(f"{batch_id}\0{event_type}".encode()).hexdigest()
    data = None if schedule is None else nesting.encode({"id": batch_id, "schedule": schedule})
    return WebhookEvent(f"evt_{digest[:32]}", event_type, batch_id, created_at, data)


def warning_of(detail: Mapping[str, Any]) -> WebhookEvent:
    """Return the event of a warning, as the bus tells it."""
    data = nesting.encode({name: detail[name] for name in OF_WARNING})
    return WebhookEvent(detail["id"], BUDGET_WARNING, None, detail["created_at"], data)


def new(event: WebhookEvent, tenant: str, endpoint_id: str, now: int) -> Delivery:
    """Build the record of a delivery before its first attempt."""
    return Delivery(event=event, endpoint_id=endpoint_id, tenant=tenant, created_at=now, expires_at_ttl=now + KEEP)


def headers(event: WebhookEvent, secrets: Sequence[str], now: float) -> dict[str, str]:
    """Return the headers of one attempt, signed now with each secret: receivers refuse a timestamp of five minutes ago."""
    when, body = datetime.fromtimestamp(int(now), UTC), event.body().decode()
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": event.event_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": " ".join(Webhook(secret).sign(event.event_id, when, body) for secret in secrets),
    }


def shape(delivery: Delivery) -> dict[str, Any]:
    """Shape a delivery as the HTTP API shows it."""
    return {
        "id": delivery.event.event_id,
        "object": "webhook_endpoint.delivery",
        "webhook_endpoint_id": delivery.endpoint_id,
        "event_type": delivery.event.event_type,
        "batch_id": delivery.event.batch_id,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "last_status_code": delivery.last_status,
        "last_error": delivery.last_error,
        "created_at": delivery.created_at,
        "last_attempt_at": delivery.last_attempt_at,
        "delivered_at": delivery.delivered_at,
    }
