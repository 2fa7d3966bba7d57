"""Webhooks in memory: endpoints and deliveries, what calls them, and the provider's webhooks that were taken."""

from typing import Any

import msgspec

from batchyard.adapters.stores.webhook_store import KEEP_NOTICES, WebhookReceipts, WebhookStore
from batchyard.adapters.webhook_sender import WebhookSender
from batchyard.domain.errors import DeliveryFailed, NotFound, StaleRecord
from batchyard.domain.numbers import HOUR
from batchyard.domain.webhook_delivery import DELIVERED, PENDING, Delivery, Notice, WebhookEvent
from batchyard.domain.webhook_endpoint import MOST_ENDPOINTS, WebhookEndpoint
from tests.fakes.api_stores import fit


class MemoryWebhookStore(WebhookStore):
    """Endpoints and deliveries in dictionaries, under the real ones' conditions."""

    def __init__(self) -> None:
        self.known: dict[str, WebhookEndpoint] = {}
        self.told: dict[tuple[str, str], Delivery] = {}
        self.notices: dict[str, Notice] = {}
        self.taken: dict[int, int] = {}

    def create(self, endpoint: WebhookEndpoint) -> bool:
        there = [each for each in self.known.values() if each.tenant == endpoint.tenant and each.deleted_at is None]
        if len(there) >= MOST_ENDPOINTS:
            return endpoint.endpoint_id in self.known
        self.known[endpoint.endpoint_id] = endpoint
        return True

    def delete(self, endpoint: WebhookEndpoint, now: int, expires_at: int) -> None:
        self.change(endpoint, deleted_at=now, updated_at=now, expires_at_ttl=expires_at)

    def endpoint(self, tenant: str, endpoint_id: str) -> WebhookEndpoint:
        found = self.known.get(endpoint_id)
        if found is None or found.tenant != tenant or found.deleted_at is not None:
            raise NotFound(endpoint_id)
        return found

    def endpoints(self, tenant: str) -> list[WebhookEndpoint]:
        there = [each for each in self.known.values() if each.tenant == tenant and each.deleted_at is None]
        return sorted(there, key=lambda each: (each.created_at, each.endpoint_id), reverse=True)

    def change(self, before: WebhookEndpoint, **changes: object) -> WebhookEndpoint:
        now = self.known[before.endpoint_id]
        if now.generation != before.generation or now.deleted_at is not None:
            raise StaleRecord(before.endpoint_id)
        self.known[before.endpoint_id] = msgspec.structs.replace(now, **changes)
        return self.known[before.endpoint_id]

    def begin(self, delivery: Delivery) -> Delivery:
        return self.told.setdefault((delivery.endpoint_id, delivery.event.event_id), delivery)

    def delivery(self, endpoint_id: str, event: WebhookEvent) -> Delivery:
        if (endpoint_id, event.event_id) not in self.told:
            raise NotFound(event.event_id)
        return self.told[endpoint_id, event.event_id]

    def deliveries(self, endpoint_id: str, most: int) -> list[Delivery]:
        own = [each for each in self.told.values() if each.endpoint_id == endpoint_id]
        return sorted(own, key=lambda each: (each.event.created_at, each.event.event_id), reverse=True)[:most]

    def attempt(self, delivery: Delivery, now: int) -> Delivery:
        changes: dict[str, Any] = {"attempts": delivery.attempts + 1, "last_attempt_at": now, "state": PENDING}
        return self._write(delivery, {**changes, "last_status": None, "last_error": None})

    def note(self, delivery: Delivery, **changes: object) -> Delivery:
        return self._write(delivery, changes)

    def take_notification(self, event_id: str, now: int) -> Notice:
        if event_id not in self.notices:
            self.taken[now // HOUR] = self.taken.get(now // HOUR, 0) + 1
            self.notices[event_id] = Notice(number=self.taken[now // HOUR], at=now, expires_at_ttl=now + KEEP_NOTICES)
        return self.notices[event_id]

    def note_notified(self, event_id: str) -> None:
        self.notices[event_id] = msgspec.structs.replace(self.notices[event_id], told=True)

    def _write(self, delivery: Delivery, changes: dict[str, object]) -> Delivery:
        key = delivery.endpoint_id, delivery.event.event_id
        if self.told[key].state == DELIVERED:
            raise StaleRecord(str(key))
        self.told[key] = msgspec.structs.replace(self.told[key], **changes)
        return self.told[key]


class MemoryWebhookSender(WebhookSender):
    """What was posted; `answers` are given in turn and 200 after them, one of text being why there is no answer."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int | str] = []

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        self.posted.append((url, headers, body))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, str):
            raise DeliveryFailed(answer)
        return answer


class MemoryWebhookReceipts(WebhookReceipts):
    """The ids of webhooks in a dictionary, and when each is forgotten."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def has(self, webhook_id: str) -> bool:
        fit(webhook_id)
        return webhook_id in self.known

    def record(self, webhook_id: str, expires_at: int) -> None:
        fit(webhook_id)
        self.known[webhook_id] = expires_at
