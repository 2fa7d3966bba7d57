"""The DynamoDB table as plain items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from batchyard.adapters.aws import client, translated
from batchyard.errors import NotFound, StaleRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

INDEX: Final = "by_tenant"
_to_dynamo = TypeSerializer().serialize
_from_dynamo = TypeDeserializer().deserialize


class Items:
    """Read and write the records that have no type of their own."""

    def __init__(self, table: str, dynamodb: DynamoDBClient | None = None) -> None:
        """Use this table."""
        self._table = table
        self._dynamodb: DynamoDBClient = dynamodb or client("dynamodb")

    def item(self, pk: str, sk: str) -> dict[str, Any]:
        """Read a record, as plain values; raises NotFound."""
        return self._get({"pk": pk, "sk": sk})

    def put_once(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write a record unless there is one, and return the one that is there then."""
        try:
            with translated("writing a record"):
                self._dynamodb.put_item(
                    TableName=self._table, Item=encode(item), ConditionExpression="attribute_not_exists(pk)"
                )
        except StaleRecord:
            return self.item(item["pk"], item["sk"])
        return item

    def items_of(self, owner: str) -> Iterator[dict[str, Any]]:
        """Yield the records that the index has under `owner`, in its order."""
        request: Any = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "gsi1pk = :owner",
            "ExpressionAttributeValues": encode({":owner": owner}),
        }
        with translated(f"listing {owner}"):
            for page in self._dynamodb.get_paginator("query").paginate(**request):
                yield from (decode(item) for item in page["Items"])

    def change_item(self, pk: str, sk: str, **changes: object) -> None:
        """Change members of a record; raises NotFound."""
        try:
            with translated(f"changing {pk}"):
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=encode({"pk": pk, "sk": sk}),
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeNames={f"#{name}": name for name in changes},
                    ExpressionAttributeValues=encode({f":{name}": value for name, value in changes.items()}),
                )
        except StaleRecord as error:
            raise NotFound(f"no record {pk}") from error

    def _get(self, key: Mapping[str, str]) -> dict[str, Any]:
        with translated(f"reading {key['pk']}"):
            answer = self._dynamodb.get_item(TableName=self._table, Key=encode(key), ConsistentRead=True)
        if "Item" not in answer:
            raise NotFound(f"no record {key['pk']}")
        return decode(answer["Item"])


def encode(item: Mapping[str, object]) -> dict[str, Any]:
    """Write plain values as DynamoDB does."""
    return {name: _to_dynamo(msgspec.to_builtins(value)) for name, value in item.items()}


def decode(item: Mapping[str, Any]) -> dict[str, Any]:
    """Read what DynamoDB wrote as plain values."""
    return {name: _plain(_from_dynamo(value)) for name, value in item.items()}


def _plain(value: object) -> Any:  # noqa: ANN401 - what DynamoDB holds is known only to the caller
    match value:
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case list() | set():
            return [_plain(member) for member in value]
        case str() | bool() | None:
            return value
        case _:
            return int(str(value))  # every number in the table is whole
