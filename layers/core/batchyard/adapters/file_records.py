"""The records of files, in the same table as all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchyard.adapters.aws import client, translated
from batchyard.adapters.items import INDEX, decode, encode
from batchyard.errors import NotFound, StaleRecord
from batchyard.stored_file import StoredFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient


class FileRecords:
    """Read and write the records of files; every write is conditional."""

    def __init__(self, table: str, dynamodb: DynamoDBClient | None = None) -> None:
        """Use this table."""
        self._table = table
        self._dynamodb: DynamoDBClient = dynamodb or client("dynamodb")

    def keep(self, file: StoredFile) -> bool:
        """Record a file; False when it is recorded already with as many bytes, as when a step is run again."""
        index = {"gsi1pk": f"FILES#{file.tenant}", "gsi1sk": file.position}
        try:
            with translated(f"recording {file.file_id}"):
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=encode({**_key(file.file_id), **_members(file), **index}),
                    ConditionExpression="attribute_not_exists(pk) OR #bytes <> :bytes",
                    ExpressionAttributeNames={"#bytes": "bytes"},
                    ExpressionAttributeValues=encode({":bytes": file.bytes}),
                )
        except StaleRecord:
            return False
        return True

    def file(self, file_id: str) -> StoredFile:
        """Read a file, though it be deleted or expired; raises NotFound."""
        with translated(f"reading {file_id}"):
            answer = self._dynamodb.get_item(TableName=self._table, Key=encode(_key(file_id)), ConsistentRead=True)
        if "Item" not in answer:
            raise NotFound(f"no file {file_id}")
        return msgspec.convert(decode(answer["Item"]), StoredFile)

    def change(self, file_id: str, **changes: object) -> StoredFile:
        """Change members of a file that is not deleted; raises StaleRecord for one that is, or was never there."""
        with translated(f"changing {file_id}"):
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=encode(_key(file_id)),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
                ConditionExpression="attribute_exists(pk) AND attribute_not_exists(deleted_at)",
                ExpressionAttributeNames={f"#{name}": name for name in changes},
                ExpressionAttributeValues=encode({f":{name}": value for name, value in changes.items()}),
                ReturnValues="ALL_NEW",
            )
        return msgspec.convert(decode(answer["Attributes"]), StoredFile)

    def files(
        self, tenant: str, now: int, purpose: str | None, after: str | None, *, newest_first: bool
    ) -> Iterator[StoredFile]:
        """Yield a tenant's files that are there, behind the position `after`."""
        side = "<" if newest_first else ">"
        behind, start = (f" AND gsi1sk {side} :after", {":after": after}) if after else ("", {})
        there = "attribute_not_exists(deleted_at) AND (attribute_not_exists(expires_at) OR expires_at > :now)"
        wanted, kind = (" AND purpose = :purpose", {":purpose": purpose}) if purpose else ("", {})
        request: Any = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": f"gsi1pk = :tenant{behind}",
            "FilterExpression": there + wanted,
            "ExpressionAttributeValues": encode({":tenant": f"FILES#{tenant}", ":now": now, **start, **kind}),
            "ScanIndexForward": not newest_first,
        }
        with translated("listing files"):
            for page in self._dynamodb.get_paginator("query").paginate(**request):
                yield from (msgspec.convert(decode(item), StoredFile) for item in page["Items"])


def _key(file_id: str) -> dict[str, str]:
    return {"pk": f"FILE#{file_id}", "sk": "FILE"}


def _members(file: StoredFile) -> dict[str, Any]:
    return {name: getattr(file, name) for name in file.__struct_fields__ if getattr(file, name) is not None}
