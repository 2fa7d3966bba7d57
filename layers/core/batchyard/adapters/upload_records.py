"""The records of uploads in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchyard.adapters.aws import client, translated
from batchyard.adapters.items import decode, encode
from batchyard.errors import NotFound
from batchyard.stored_upload import PENDING, StoredUpload

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from batchyard.stored_upload import UploadPart


class UploadRecords:
    """Read and write the records of uploads; every write is conditional."""

    def __init__(self, table: str, dynamodb: DynamoDBClient | None = None) -> None:
        """Use this table."""
        self._table = table
        self._dynamodb: DynamoDBClient = dynamodb or client("dynamodb")

    def create(self, upload: StoredUpload) -> None:
        """Record an upload that begins."""
        self._put(_key(upload.upload_id), upload)

    def upload(self, upload_id: str) -> StoredUpload:
        """Read an upload; raises NotFound."""
        with translated(f"reading {upload_id}"):
            answer = self._dynamodb.get_item(TableName=self._table, Key=encode(_key(upload_id)), ConsistentRead=True)
        if "Item" not in answer:
            raise NotFound(f"no upload {upload_id}")
        return msgspec.convert(decode(answer["Item"]), StoredUpload)

    def add_part(self, part: UploadPart) -> None:
        """Record a part whose object is written."""
        self._put({**_key(part.upload_id), "sk": f"PART#{part.part_id}"}, part)

    def part_sizes(self, upload_id: str) -> dict[str, int]:
        """Return the bytes of each part of an upload, by its id."""
        request: Any = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :part)",
            "ExpressionAttributeValues": encode({":pk": _key(upload_id)["pk"], ":part": "PART#"}),
            "ConsistentRead": True,
        }
        with translated(f"reading the parts of {upload_id}"):
            pages = list(self._dynamodb.get_paginator("query").paginate(**request))
        items = [decode(item) for page in pages for item in page["Items"]]
        return {item["part_id"]: item["bytes"] for item in items}

    def end(self, upload_id: str, status: str) -> StoredUpload:
        """Give a pending upload its end; raises StaleRecord when it has one."""
        with translated(f"changing {upload_id}"):
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=encode(_key(upload_id)),
                UpdateExpression="SET #status = :status",
                ConditionExpression="#status = :pending",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=encode({":status": status, ":pending": PENDING}),
                ReturnValues="ALL_NEW",
            )
        return msgspec.convert(decode(answer["Attributes"]), StoredUpload)

    def _put(self, key: dict[str, str], record: StoredUpload | UploadPart) -> None:
        members = {name: getattr(record, name) for name in record.__struct_fields__}
        item = {**key, **{name: value for name, value in members.items() if value is not None}}
        with translated(f"recording {record.upload_id}"):
            self._dynamodb.put_item(TableName=self._table, Item=encode(item))


def _key(upload_id: str) -> dict[str, str]:
    return {"pk": f"UPLOAD#{upload_id}", "sk": "UPLOAD"}
