"""The records of webhook endpoints, and of what was delivered to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchyard.adapters.aws import client, translated
from batchyard.adapters.items import decode, encode
from batchyard.errors import NotFound, StaleRecord
from batchyard.webhook_delivery import DELIVERED, PENDING, Delivery
from batchyard.webhook_endpoint import WebhookEndpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from batchyard.webhook_delivery import WebhookEvent


class WebhookRecords:
    """Read and write the records of endpoints and deliveries; every write is conditional."""

    def __init__(self, table: str, dynamodb: DynamoDBClient | None = None) -> None:
        """Use this table."""
        self._table = table
        self._dynamodb: DynamoDBClient = dynamodb or client("dynamodb")

    def create(self, endpoint: WebhookEndpoint) -> None:
        """Record a new endpoint."""
        self._put(_endpoint_key(endpoint.tenant, endpoint.endpoint_id), endpoint)

    def endpoint(self, tenant: str, endpoint_id: str) -> WebhookEndpoint:
        """Read an endpoint of this tenant; raises NotFound, also for one that was deleted."""
        found = msgspec.convert(self._get(_endpoint_key(tenant, endpoint_id)), WebhookEndpoint)
        if found.deleted_at is not None:
            raise NotFound(f"{endpoint_id} was deleted")
        return found

    def endpoints(self, tenant: str) -> list[WebhookEndpoint]:
        """Return a tenant's endpoints, newest first."""
        items = self._query(f"WEBHOOKS#{tenant}")
        found = [msgspec.convert(item, WebhookEndpoint) for item in items]
        there = [each for each in found if each.deleted_at is None]
        return sorted(there, key=lambda each: (each.created_at, each.endpoint_id), reverse=True)

    def change(self, before: WebhookEndpoint, **changes: object) -> WebhookEndpoint:
        """Change members of an endpoint whose secret was not rotated since; raises StaleRecord."""
        same = "generation = :known AND attribute_not_exists(deleted_at)"
        key = _endpoint_key(before.tenant, before.endpoint_id)
        return msgspec.convert(self._update(key, changes, same, {":known": before.generation}), WebhookEndpoint)

    def begin(self, delivery: Delivery) -> Delivery:
        """Record a delivery unless it is recorded already, and return the one that is there then."""
        key = _delivery_key(delivery.endpoint_id, delivery.event)
        try:
            self._put(key, delivery)
        except StaleRecord:
            return msgspec.convert(self._get(key), Delivery)
        return delivery

    def delivery(self, endpoint_id: str, event: WebhookEvent) -> Delivery:
        """Read a delivery; raises NotFound."""
        return msgspec.convert(self._get(_delivery_key(endpoint_id, event)), Delivery)

    def deliveries(self, endpoint_id: str, most: int) -> list[Delivery]:
        """Return the last deliveries to an endpoint, newest first."""
        items = self._query(f"DELIVERIES#{endpoint_id}", newest_first=True, most=most)
        return [msgspec.convert(item, Delivery) for item in items]

    def attempt(self, delivery: Delivery, now: int) -> Delivery:
        """Count an attempt that is about to be made; raises StaleRecord if the event was delivered."""
        changes = {"attempts": delivery.attempts + 1, "last_attempt_at": now, "state": PENDING}
        return self._move(delivery, {**changes, "last_status": None, "last_error": None})

    def note(self, delivery: Delivery, **changes: object) -> Delivery:
        """Record what came of an attempt; raises StaleRecord if the event was delivered."""
        return self._move(delivery, changes)

    def _move(self, delivery: Delivery, changes: Mapping[str, object]) -> Delivery:
        key = _delivery_key(delivery.endpoint_id, delivery.event)
        not_delivered = "#state <> :delivered"
        return msgspec.convert(self._update(key, changes, not_delivered, {":delivered": DELIVERED}), Delivery)

    def _update(
        self, key: Mapping[str, str], changes: Mapping[str, object], condition: str, values: Mapping[str, object]
    ) -> dict[str, Any]:
        names = {f"#{name}": name for name in (*changes, *(["state"] if "#state" in condition else []))}
        with translated(f"changing {key['pk']}"):
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=encode(key),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
                ConditionExpression=f"attribute_exists(pk) AND {condition}",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=encode({**{f":{name}": value for name, value in changes.items()}, **values}),
                ReturnValues="ALL_NEW",
            )
        return decode(answer["Attributes"])

    def _put(self, key: Mapping[str, str], record: WebhookEndpoint | Delivery) -> None:
        members = {name: getattr(record, name) for name in record.__struct_fields__}
        item = {**key, **{name: value for name, value in members.items() if value is not None}}
        with translated(f"recording {key['pk']}"):
            self._dynamodb.put_item(
                TableName=self._table, Item=encode(item), ConditionExpression="attribute_not_exists(pk)"
            )

    def _get(self, key: Mapping[str, str]) -> dict[str, Any]:
        with translated(f"reading {key['pk']}"):
            answer = self._dynamodb.get_item(TableName=self._table, Key=encode(key), ConsistentRead=True)
        if "Item" not in answer:
            raise NotFound(f"no record {key['sk']}")
        return decode(answer["Item"])

    def _query(self, pk: str, *, newest_first: bool = False, most: int | None = None) -> list[dict[str, Any]]:
        request: Any = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": encode({":pk": pk}),
            "ScanIndexForward": not newest_first,
            "ConsistentRead": True,
            "PaginationConfig": {"MaxItems": most},
        }
        with translated(f"listing {pk}"):
            pages = self._dynamodb.get_paginator("query").paginate(**request)
            return [decode(item) for page in pages for item in page["Items"]]


def _endpoint_key(tenant: str, endpoint_id: str) -> dict[str, str]:
    return {"pk": f"WEBHOOKS#{tenant}", "sk": f"ENDPOINT#{endpoint_id}"}


def _delivery_key(endpoint_id: str, event: WebhookEvent) -> dict[str, str]:
    return {"pk": f"DELIVERIES#{endpoint_id}", "sk": f"{event.created_at:010}#{event.event_id}"}
