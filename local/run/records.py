"""What the table says about one batch, as far as a watching person wants to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True)
class Progress:
    """How a batch stands. Lines are those of the input; `done` have their outcome."""

    batch_id: str
    status: str
    total: int = 0
    completed: int = 0
    failed: int = 0
    shards: int = 0
    shards_done: int = 0
    paused: str | None = None
    errors: list[Mapping[str, Any]] = field(default_factory=list)
    errors_total: int = 0

    @property
    def ended(self) -> bool:
        """Tell whether the status can change no more."""
        return self.status in ENDED

    @property
    def done(self) -> int:
        """Return the lines that have their outcome."""
        return self.completed + self.failed


def find_batch(table: "Table", tenant: str, key: str, version_id: str) -> str | None:
    """Return the id of the batch made of this version of the object `key`, or None while there is none."""
    answer = table.query(
        IndexName="by_tenant",
        KeyConditionExpression=Key("gsi1pk").eq(f"TENANT#{tenant}"),
        FilterExpression=Attr("input.key").eq(key) & Attr("input.version_id").eq(version_id),
        ScanIndexForward=False,
    )
    ids = [str(item["batch_id"]) for item in answer["Items"]]
    return ids[0] if ids else None


@dataclass(frozen=True)
class Sent:
    """What a batch has at the provider: the ids of provider batches that run, as far as is recorded.

    `creating` tells of a provider batch whose id is not known yet, `any` of one at any time.
    """

    running: list[str]
    creating: bool
    any: bool


def unended(table: "Table", tenant: str) -> list[str]:
    """Return the ids of the tenant's batches that have not ended."""
    of_tenant = Key("gsi1pk").eq(f"TENANT#{tenant}")
    answer = table.query(IndexName="by_tenant", KeyConditionExpression=of_tenant)
    return [str(item["batch_id"]) for item in answer["Items"] if item["status"] not in ENDED]


def sent(table: "Table", batch_id: str) -> Sent:
    """Return what the batch has at the provider now."""
    shards = _shards(_items(table, batch_id))
    attempts = [attempt for shard in shards for attempt in shard.get("attempts", [])]
    live = [attempt for shard in shards for attempt in _live(shard)]
    creating = any(attempt.get("creating_at") and not attempt.get("provider_batch_id") for attempt in live)
    running = [attempt["provider_batch_id"] for shard in shards for attempt in _running(shard)]
    return Sent(running, creating, creating or any(attempt.get("provider_batch_id") for attempt in attempts))


def undone(table: "Table", batch_id: str) -> dict[int, str | None]:
    """Return the batch's shards that are not done, each with the id of its provider batch if one is recorded and not ended."""
    items = _items(table, batch_id)
    batch = next(item for item in items if item["sk"] == "BATCH")
    found = dict[int, str | None].fromkeys(range(int(batch.get("shards", 0))))
    for shard in _shards(items):
        if shard.get("status") == "done":
            found.pop(int(shard["shard"]), None)
        else:
            found[int(shard["shard"])] = next((each["provider_batch_id"] for each in _running(shard)), None)
    return found


def files_left(table: "Table", batch_id: str) -> list[str]:
    """Return the ids of what the batch is known to have left at the provider: uploads, and answers that were fetched."""
    shards = _shards(_items(table, batch_id))
    uploads = [attempt.get("file_id") for shard in shards for attempt in _live(shard)]
    kept = [file_id for shard in shards for file_id in (shard.get("file_id"), *shard.get("leftovers", []))]
    return list(dict.fromkeys(file_id for file_id in (*kept, *uploads) if file_id))


def progress(table: "Table", batch_id: str) -> Progress:
    """Return how the batch stands now; while its shards run, the lines are counted from their records."""
    items = _items(table, batch_id)
    batch = next(item for item in items if item["sk"] == "BATCH")
    shards = _shards(items)
    counts = batch.get("counts", {})
    return Progress(
        batch_id,
        batch["status"],
        total=int(counts.get("total", 0)),
        completed=max(int(counts.get("completed", 0)), _sum(shards, "completed")),
        failed=max(int(counts.get("failed", 0)), _sum(shards, "failed")),
        shards=int(batch.get("shards", 0)),
        shards_done=sum(shard.get("status") == "done" for shard in shards),
        paused=batch.get("paused") if batch.get("held_by") else None,  # the reason outlasts those who had it
        errors=list(batch.get("errors", [])),
        errors_total=int(batch.get("errors_total", 0)),
    )


def _shards(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in items if item["sk"].startswith("SHARD#")]


def _live(shard: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [attempt for attempt in shard.get("attempts", []) if attempt.get("ended_at") is None]


def _running(shard: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [attempt for attempt in _live(shard) if attempt.get("provider_batch_id")]


def _items(table: "Table", batch_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    start: Any = {}
    while True:
        answer = table.query(KeyConditionExpression=Key("pk").eq(f"BATCH#{batch_id}"), ConsistentRead=True, **start)
        items += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return items
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _sum(shards: list[dict[str, Any]], member: str) -> int:
    return sum(int(shard.get(member, 0)) for shard in shards)
