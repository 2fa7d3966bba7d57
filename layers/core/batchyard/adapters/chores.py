"""What the sweep has to see to: batches that are not settled yet, and how far each chore came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from batchyard import statuses
from batchyard.adapters.aws import client, translated
from batchyard.adapters.items import decode, encode
from batchyard.adapters.records import batch_key
from batchyard.errors import StaleRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX: Final = "unsettled"  # it holds only the records that have the member of this name
PAGE: Final = 100


class Chores:
    """Find the batches that need a look, and write down what the sweep did about them."""

    def __init__(self, table: str, dynamodb: DynamoDBClient | None = None) -> None:
        """Use this table."""
        self._table = table
        self._dynamodb: DynamoDBClient = dynamodb or client("dynamodb")

    def unsettled(self, after: str | None) -> list[str]:
        """Name some batches that run, or have ended and may have left something at the provider, in order behind `after`."""
        values, condition = {":any": INDEX}, "unsettled = :any"
        if after is not None:
            condition, values[":after"] = f"{condition} AND pk > :after", batch_key(after)["pk"]
        with translated("listing unsettled batches"):
            answer = self._dynamodb.query(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=encode(values),
                Limit=PAGE,
            )
        return [decode(item)["pk"].partition("#")[2] for item in answer["Items"]]

    def settled(self, batch_id: str) -> None:
        """Write down that an ended batch needs no look any more."""
        ended = {f":ended{at}": status for at, status in enumerate(sorted(statuses.ENDED))}
        self._change(batch_id, "REMOVE unsettled", f"#status IN ({', '.join(ended)})", ended)

    def restart(self, batch_id: str, restarts: int) -> bool:
        """Count one more restart of a running batch after so many; False when another worker did, or the batch has ended."""
        ended = {f":ended{at}": status for at, status in enumerate(sorted(statuses.ENDED))}
        uncounted = "(restarts = :restarts OR attribute_not_exists(restarts))"  # recorded before restarts were
        still_open = f"NOT #status IN ({', '.join(ended)})"
        values = {":restarts": restarts, ":next": restarts + 1, **ended}
        try:
            self._change(batch_id, "SET restarts = :next", f"{uncounted} AND {still_open}", values)
        except StaleRecord:
            return False
        return True

    def _change(self, batch_id: str, update: str, condition: str, values: dict[str, Any]) -> None:
        with translated(f"changing {batch_id}"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=encode(batch_key(batch_id)),
                UpdateExpression=update,
                ConditionExpression=f"attribute_exists(pk) AND {condition}",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=encode(values),
            )

    def bookmark(self, chore: str) -> dict[str, Any]:
        """Read where a chore stopped; empty when it came to its end."""
        with translated(f"reading the bookmark of {chore}"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key=encode(_bookmark_key(chore)), ConsistentRead=True
            )
        return decode(answer.get("Item", {}))

    def keep_bookmark(self, chore: str, members: dict[str, object]) -> None:
        """Write down where a chore stopped."""
        with translated(f"writing the bookmark of {chore}"):
            self._dynamodb.put_item(TableName=self._table, Item=encode({**_bookmark_key(chore), **members}))


def _bookmark_key(chore: str) -> dict[str, str]:
    return {"pk": f"SWEEP#{chore}", "sk": "BOOKMARK"}
