"""Tell people, by mail and in a chat, what happened to a batch or a budget: once, and few times an hour."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from batchyard.domain import nesting, webhook_delivery
from batchyard.domain.numbers import HOUR
from batchyard.domain.webhook_delivery import CHAT, DeliveryRequest, WebhookEvent
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.webhooks.notification import FAILED, KINDS, Notification, notification_of

EVERYBODY: Final = ""  # a notification is of no tenant: whoever runs the stack gets it


def inform(services: Services, detail_type: str, detail: Mapping[str, Any]) -> str | None:
    """Notify of an event of the bus, and return the id of the notification; None where nobody asked for it.

    The chat comes first, because its delivery is begun once however often we try; a mail can go twice, if we end after it.
    """
    kind = KINDS.get(detail_type, "")
    if not kind or kind not in services.settings.notify_on.split(",") or detail.get("dry_run"):
        return None
    reason = _why_failed(services, detail["id"]) if kind == FAILED else ""
    told = notification_of(kind, detail, services.settings.console_url, reason)
    taken = services.webhook_store.take_notification(told.event_id, services.now())
    most = services.settings.max_notifications_per_hour
    if not taken.told and taken.number <= most:
        _tell(services, told.ending_with(_last_words(taken.at)) if taken.number == most else told, taken.at)
    elif not taken.told:
        logger.warning("notification held back", kind=kind, event_id=told.event_id, most=most)
    services.webhook_store.note_notified(told.event_id)
    return told.event_id


def _tell(services: Services, told: Notification, since: int) -> None:
    if services.settings.notify_chat:
        data = nesting.encode(msgspec.to_builtins(told))
        event = WebhookEvent(told.event_id, f"notification.{told.kind}", told.batch_id, since, data)
        request = DeliveryRequest(EVERYBODY, CHAT, event)
        services.webhook_store.begin(webhook_delivery.new(event, EVERYBODY, CHAT, services.now()))
        services.webhook_executions.start(request.name, request)
    services.event_bus.notify(told.title, told.text)
    logger.info("notified", kind=told.kind, event_id=told.event_id, title=told.title)


def _why_failed(services: Services, batch_id: str) -> str:
    """Return the first error of a batch, which the event does not hold."""
    batch = services.batch_store.find_batch(batch_id)
    return batch.errors[0].message if batch and batch.errors else ""


def _last_words(since: int) -> str:
    again = datetime.fromtimestamp((since // HOUR + 1) * HOUR, UTC)
    return (
        "This is the last notification of this hour (MaxNotificationsPerHour). What happens until "
        f"{again:%H:%M} UTC is not told; the console shows it."
    )
