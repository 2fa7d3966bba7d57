"""The records of the provider's webhooks that were taken."""

from __future__ import annotations

from batchyard.adapters.table import ANY, Table


class WebhookReceipts(Table):
    """Remember which webhooks were taken, by the provider's `webhook-id`."""

    def has(self, webhook_id: str) -> bool:
        """Tell whether a webhook was taken before."""
        return bool(self._find(_key(webhook_id)))

    def record(self, webhook_id: str, expires_at: int) -> None:
        """Record that a webhook was taken."""
        self._put(_key(webhook_id), {"expires_at_ttl": expires_at}, ANY)


def _key(webhook_id: str) -> dict[str, str]:
    return {"pk": f"WEBHOOK#{webhook_id}", "sk": "WEBHOOK"}
