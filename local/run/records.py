"""Read from the table what a person who watches a batch wants to know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from boto3.dynamodb.conditions import Attr, Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

ENDED = frozenset({"completed", "failed", "cancelled"})

# Why shards wait, and the sets of those that do: a pause before a wait for one's turn.
_WAITS = (("paused", "paused_shards"), ("waits", "waiting_shards"))


@dataclass(frozen=True)
class Progress:
    """The state of a batch, with counts of its input lines and its shards."""

    batch_id: str
    status: str
    #: All lines of the input.
    total: int = 0
    #: Lines that succeeded.
    completed: int = 0
    #: Lines whose outcome is an error.
    failed: int = 0
    #: All shards; 0 before the input is planned.
    shards: int = 0
    #: Shards whose lines all have their outcome.
    shards_done: int = 0
    #: Why the batch waits; None if it does not.
    paused: str | None = None
    #: The errors of the batch itself, in OpenAI's shape; a long list is cut.
    errors: list[Mapping[str, Any]] = field(default_factory=list)
    #: The number of these errors before the list was cut.
    errors_total: int = 0
    #: Where its input lies, as `s3://bucket/key`.
    source: str = ""
    #: Whether it was only to be estimated.
    dry_run: bool = False
    #: The estimate as JSON, if there is one.
    preflight: str | None = None

    @property
    def ended(self) -> bool:
        """Tell whether the status is final."""
        return self.status in ENDED

    @property
    def done(self) -> int:
        """Return the number of lines that have their outcome."""
        return self.completed + self.failed


def find_batch(table: "Table", tenant: str, key: str, version_id: str) -> str | None:
    """Return the id of the batch that was made of this version of the object `key`; None while there is none."""
    answer = table.query(
        IndexName="by_tenant",
        KeyConditionExpression=Key("gsi1pk").eq(f"TENANT#{tenant}"),
        FilterExpression=Attr("input.key").eq(key) & Attr("input.version_id").eq(version_id),
        ScanIndexForward=False,
    )
    ids = [str(item["batch_id"]) for item in answer["Items"]]
    return ids[0] if ids else None


class Held(NamedTuple):
    """A provider batch, an input or a result, which one provider holds."""

    #: The name of the provider, as the shard has it.
    provider: str
    #: What the provider calls it.
    id: str


class Open(NamedTuple):
    """A shard that is not done."""

    #: The name of its provider; None before the shard has begun.
    provider: str | None
    #: Its provider batch that has not ended; None if there is none, or its id is not known.
    running: Held | None
    #: Its lines without an outcome; 0 before the shard has begun.
    lines: int


@dataclass(frozen=True)
class AtProvider:
    """What a batch has at the provider, as far as the records say."""

    #: The provider batches that have not ended.
    running: list[Held]
    #: Whether another provider batch is being created, whose id is not known yet.
    creating: bool
    #: Whether the batch has ever had a provider batch.
    any: bool


def list_provider_batches(table: "Table") -> list[str]:
    """Return the ids of all provider batches of all batches, those that have ended, too."""
    items = _pages(table.scan, FilterExpression=Attr("pk").begins_with("BATCH#"), ConsistentRead=True)
    attempts = (attempt for shard in _shards(items) for attempt in shard.get("attempts", []))
    return [str(attempt["provider_batch_id"]) for attempt in attempts if attempt.get("provider_batch_id")]


def read_open_at_provider(table: "Table") -> dict[str, AtProvider]:
    """Return what is at the provider of each batch, of any tenant, that has not ended or has something there, by its id."""
    shards, has_ended = dict[str, list[dict[str, Any]]](), dict[str, bool]()
    for item in _pages(table.scan, FilterExpression=Attr("pk").begins_with("BATCH#"), ConsistentRead=True):
        batch_id = item["pk"].removeprefix("BATCH#")
        shards.setdefault(batch_id, []).extend(_shards([item]))
        if item["sk"] == "BATCH":
            has_ended[batch_id] = item["status"] in ENDED
    found = {batch_id: _at_provider(of_batch) for batch_id, of_batch in shards.items()}
    return {
        batch_id: now
        for batch_id, now in found.items()
        if now.running or now.creating or not has_ended.get(batch_id, True)
    }


def read_at_provider(table: "Table", batch_id: str) -> AtProvider:
    """Return what the batch has at the provider now."""
    return _at_provider(_shards(_items(table, batch_id)))


def _at_provider(shards: list[dict[str, Any]]) -> AtProvider:
    attempts = [attempt for shard in shards for attempt in shard.get("attempts", [])]
    live = [attempt for shard in shards for attempt in _live(shard)]
    creating = any(attempt.get("creating_at") and not attempt.get("provider_batch_id") for attempt in live)
    running = [held for shard in shards for held in _running(shard)]
    return AtProvider(running, creating, creating or any(attempt.get("provider_batch_id") for attempt in attempts))


def list_open_shards(table: "Table", batch_id: str) -> dict[int, Open]:
    """Return the shards that are not done, by their numbers."""
    items = _items(table, batch_id)
    batch = next(item for item in items if item["sk"] == "BATCH")
    found = dict[int, Open].fromkeys(range(int(batch.get("shards", 0))), Open(None, None, 0))
    for shard in _shards(items):
        if shard.get("status") == "done":
            found.pop(int(shard["shard"]), None)
        else:
            running = next(iter(_running(shard)), None)
            found[int(shard["shard"])] = Open(shard.get("provider", ""), running, int(shard.get("unfinished", 0)))
    return found


def has_answers(table: "Table", batch_id: str) -> bool:
    """Tell whether the stack has answers of the batch, with success or not."""
    attempts = (attempt for shard in _shards(_items(table, batch_id)) for attempt in shard.get("attempts", []))
    return any(attempt.get("succeeded") or attempt.get("failed") for attempt in attempts)


def list_held(table: "Table", batch_id: str, *, unfinished: bool = False) -> list[Held]:
    """Return what providers hold of the batch: inputs, and results that were fetched and not deleted yet.

    With `unfinished`, only what belongs to shards that are not done.
    """
    shards = [each for each in _shards(_items(table, batch_id)) if not unfinished or each.get("status") != "done"]
    uploads = [(shard, attempt.get("file_id")) for shard in shards for attempt in _live(shard)]
    kept = [(shard, name) for shard in shards for name in (shard.get("file_id"), *shard.get("files_to_delete", []))]
    return list(dict.fromkeys(_held(shard, name) for shard, name in (*kept, *uploads) if name))


def read_progress(table: "Table", batch_id: str) -> Progress:
    """Return the state of the batch now; while shards run, the lines are counted from the records of the shards."""
    items = _items(table, batch_id)
    return _progress(batch_id, next(item for item in items if item["sk"] == "BATCH"), _shards(items))


def read_batches(table: "Table") -> list[Progress]:
    """Return the state of every batch of every tenant, oldest first; lines are counted when a batch has ended."""
    items = _pages(table.scan, FilterExpression=Attr("sk").eq("BATCH"), ConsistentRead=True)
    oldest_first = sorted(items, key=lambda item: int(item.get("created_at", 0)))
    return [_progress(item["pk"].removeprefix("BATCH#"), item, []) for item in oldest_first]


def _progress(batch_id: str, batch: Mapping[str, Any], shards: list[dict[str, Any]]) -> Progress:
    counts, source = batch.get("counts", {}), batch.get("input", {})
    return Progress(
        batch_id,
        batch["status"],
        total=int(counts.get("total", 0)),
        completed=max(int(counts.get("completed", 0)), _sum(shards, "completed")),
        failed=max(int(counts.get("failed", 0)), _sum(shards, "failed")),
        shards=int(batch.get("shards", 0)),
        shards_done=sum(shard.get("status") == "done" for shard in shards),
        # the record keeps the reason after the pause
        paused=next((batch.get(why) for why, those in _WAITS if batch.get(those)), None),
        errors=list(batch.get("errors", [])),
        errors_total=int(batch.get("errors_total", 0)),
        source=f"s3://{source.get('bucket')}/{source['key']}" if source.get("key") else batch.get("input_file_id", ""),
        dry_run=bool(batch.get("dry_run")),
        preflight=batch.get("preflight"),
    )


def _shards(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in items if item["sk"].startswith("SHARD#")]


def _live(shard: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [attempt for attempt in shard.get("attempts", []) if attempt.get("ended_at") is None]


def _running(shard: Mapping[str, Any]) -> list[Held]:
    return [_held(shard, attempt["provider_batch_id"]) for attempt in _live(shard) if attempt.get("provider_batch_id")]


def _held(shard: Mapping[str, Any], name: str) -> Held:
    return Held(shard.get("provider", ""), name)


def _items(table: "Table", batch_id: str) -> list[dict[str, Any]]:
    return _pages(table.query, KeyConditionExpression=Key("pk").eq(f"BATCH#{batch_id}"), ConsistentRead=True)


def _pages(read: Callable[..., Any], **wanted: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - parameters of boto3
    items: list[dict[str, Any]] = []
    start: Any = {}
    while True:
        answer = read(**wanted, **start)
        items += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return items
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _sum(shards: list[dict[str, Any]], member: str) -> int:
    return sum(int(shard.get(member, 0)) for shard in shards)
