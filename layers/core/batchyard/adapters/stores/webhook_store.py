"""The records of webhook endpoints, of deliveries and notifications, and of the provider's webhooks that were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.adapters.aws import through_conflicts, translated
from batchyard.adapters.stores.table import ANY, NEW, THERE, Table, changing, members
from batchyard.domain.errors import NotFound, StaleRecord
from batchyard.domain.numbers import DAY, HOUR
from batchyard.domain.webhook_delivery import DELIVERED, PENDING, Delivery, Notice
from batchyard.domain.webhook_endpoint import MOST_ENDPOINTS, WebhookEndpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchyard.domain.webhook_delivery import WebhookEvent

KEEP_NOTICES: Final = 61 * DAY  # as long as an execution may last: a pause is told once in the life of a batch


class WebhookStore(Table):
    """Read and write the records of endpoints, deliveries and notifications; every change is conditional."""

    def create(self, endpoint: WebhookEndpoint) -> bool:
        """Record and count a new endpoint; False if its tenant has as many as it may, however many calls come at once."""
        key = _endpoint_key(endpoint.tenant, endpoint.endpoint_id)
        fits = "attribute_not_exists(#endpoints) OR #endpoints < :most"
        counted = changing(_count_key(endpoint.tenant), {}, fits, {":most": MOST_ENDPOINTS}, adds={"endpoints": 1})
        try:
            self._together({"Put": self._putting(key, members(endpoint), NEW)}, self._update(counted))
        except StaleRecord:
            return bool(self._find(key))  # its id is random: only a repeated request finds a record there
        return True

    def delete(self, endpoint: WebhookEndpoint, now: int, expires_at: int) -> None:
        """Record that an endpoint is deleted, and count it no more; raises StaleRecord as `change` does."""
        changes = {"deleted_at": now, "updated_at": now, "expires_at_ttl": expires_at}
        self._together(
            self._update(_changed(endpoint, changes)),
            self._update(changing(_count_key(endpoint.tenant), {}, ANY, adds={"endpoints": -1})),
        )

    def _update(self, change: Mapping[str, Any]) -> dict[str, Any]:
        return {"Update": {"TableName": self._table, **change}}

    def _together(self, *writes: dict[str, Any]) -> None:
        both: Any = writes
        with translated("changing the webhook endpoints of a tenant"):
            through_conflicts(lambda: self._dynamodb.transact_write_items(TransactItems=both))

    def endpoint(self, tenant: str, endpoint_id: str) -> WebhookEndpoint:
        """Read an endpoint of a tenant; raises NotFound, also for a deleted endpoint."""
        found = msgspec.convert(self._get(_endpoint_key(tenant, endpoint_id)), WebhookEndpoint)
        if found.deleted_at is not None:
            raise NotFound(f"{endpoint_id} was deleted")
        return found

    def endpoints(self, tenant: str) -> list[WebhookEndpoint]:
        """Return a tenant's endpoints, newest first."""
        of_tenant = {":pk": f"WEBHOOKS#{tenant}", ":endpoint": "ENDPOINT#"}
        items = self._query("pk = :pk AND begins_with(sk, :endpoint)", of_tenant, ConsistentRead=True)
        found = [msgspec.convert(item, WebhookEndpoint) for item in items]
        there = [each for each in found if each.deleted_at is None]
        return sorted(there, key=lambda each: (each.created_at, each.endpoint_id), reverse=True)

    def change(self, before: WebhookEndpoint, **changes: object) -> WebhookEndpoint:
        """Change members of an endpoint; raises StaleRecord if its secret was rotated since, or it was deleted."""
        return msgspec.convert(self._change(_changed(before, changes)), WebhookEndpoint)

    def begin(self, delivery: Delivery) -> Delivery:
        """Record a delivery unless it is recorded already, and return the recorded one."""
        key = _delivery_key(delivery.endpoint_id, delivery.event)
        try:
            self._put(key, members(delivery))
        except StaleRecord:
            return msgspec.convert(self._get(key), Delivery)
        return delivery

    def delivery(self, endpoint_id: str, event: WebhookEvent) -> Delivery:
        """Read a delivery; raises NotFound."""
        return msgspec.convert(self._get(_delivery_key(endpoint_id, event)), Delivery)

    def deliveries(self, endpoint_id: str, most: int) -> list[Delivery]:
        """Return the last deliveries to an endpoint, newest first."""
        of_endpoint = {":pk": f"DELIVERIES#{endpoint_id}"}
        items = self._query("pk = :pk", of_endpoint, most, ConsistentRead=True, ScanIndexForward=False)
        return [msgspec.convert(item, Delivery) for item in items]

    def attempt(self, delivery: Delivery, now: int) -> Delivery:
        """Count an attempt that is about to be made; raises StaleRecord if the event is delivered already."""
        changes = {"attempts": delivery.attempts + 1, "last_attempt_at": now, "state": PENDING}
        return self._move(delivery, {**changes, "last_status": None, "last_error": None})

    def note(self, delivery: Delivery, **changes: object) -> Delivery:
        """Record the result of an attempt; raises StaleRecord if the event is delivered already."""
        return self._move(delivery, changes)

    def take_notification(self, event_id: str, now: int) -> Notice:
        """Count a notification within its hour, unless it has a number, and return what is recorded of it.

        A worker that ends in between leaves out a number. So there may be fewer notifications in an hour, and never more.
        """
        found = self._find(_notice_key(event_id))
        if not found:
            hour = changing(_hour_key(now), {"expires_at_ttl": now + DAY}, ANY, adds={"taken": 1})
            notice = Notice(number=self._change(hour)["taken"], at=now, expires_at_ttl=now + KEEP_NOTICES)
            try:
                self._put(_notice_key(event_id), members(notice))
            except StaleRecord:  # another worker has taken it meanwhile
                found = self._get(_notice_key(event_id))
            else:
                return notice
        return msgspec.convert(found, Notice)

    def note_notified(self, event_id: str) -> None:
        """Record that a notification was told, or held back; raises StaleRecord if it was never taken."""
        self._change(changing(_notice_key(event_id), {"told": True}, THERE))

    def _move(self, delivery: Delivery, changes: Mapping[str, object]) -> Delivery:
        not_delivered = f"{THERE} AND #state <> :delivered"
        key = _delivery_key(delivery.endpoint_id, delivery.event)
        change = changing(key, changes, not_delivered, {":delivered": DELIVERED})
        return msgspec.convert(self._change(change), Delivery)


class WebhookReceipts(Table):
    """Remember which webhooks were taken, by the provider's `webhook-id`."""

    def has(self, webhook_id: str) -> bool:
        """Tell whether a webhook was taken before."""
        return bool(self._find(_receipt_key(webhook_id)))

    def record(self, webhook_id: str, expires_at: int) -> None:
        """Record that a webhook was taken."""
        self._put(_receipt_key(webhook_id), {"expires_at_ttl": expires_at}, ANY)


def _changed(before: WebhookEndpoint, changes: Mapping[str, object]) -> dict[str, Any]:
    same = f"{THERE} AND generation = :known AND attribute_not_exists(deleted_at)"
    key = _endpoint_key(before.tenant, before.endpoint_id)
    return changing(key, changes, same, {":known": before.generation})


def _count_key(tenant: str) -> dict[str, str]:
    return {"pk": f"WEBHOOKS#{tenant}", "sk": "COUNT"}


def _endpoint_key(tenant: str, endpoint_id: str) -> dict[str, str]:
    return {"pk": f"WEBHOOKS#{tenant}", "sk": f"ENDPOINT#{endpoint_id}"}


def _delivery_key(endpoint_id: str, event: WebhookEvent) -> dict[str, str]:
    return {"pk": f"DELIVERIES#{endpoint_id}", "sk": f"{event.created_at:010}#{event.event_id}"}


def _notice_key(event_id: str) -> dict[str, str]:
    return {"pk": f"NOTICE#{event_id}", "sk": "NOTICE"}


def _hour_key(now: int) -> dict[str, str]:
    return {"pk": f"NOTICE#{now // HOUR}", "sk": "HOUR"}


def _receipt_key(webhook_id: str) -> dict[str, str]:
    return {"pk": f"WEBHOOK#{webhook_id}", "sk": "WEBHOOK"}
