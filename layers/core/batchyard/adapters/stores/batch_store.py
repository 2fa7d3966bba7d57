"""The records of batches and shards, and of which shard a provider batch belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from batchyard.adapters.aws import translated
from batchyard.adapters.stores.table import ANY, INDEX, NEW, THERE, Table, behind, changing, encode, members
from batchyard.costs.cost import Cost
from batchyard.costs.usage import Usage
from batchyard.domain import statuses
from batchyard.domain.batch import Batch
from batchyard.domain.errors import NotFound, StaleRecord
from batchyard.domain.shard import Shard, with_next_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from batchyard.domain.batch import InputObject

BATCH: Final = "BATCH"
OPEN: Final = "open_for"  # a member of batches that have not ended, and the index of these batches
USED, COST = "used_", "cost_"  # the sums of tokens begin so, and those of what they cost
MESSAGES: Final = {"FilterExpression": "attribute_exists(messages_input) AND attribute_not_exists(deleted_at)"}
WAITS: Final = {"paused": "paused_shards", "waits": "waiting_shards"}  # sets of shards; DynamoDB drops an empty one


def _among(some: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Shape the condition that the status is one of these, and its values."""
    values = {f":status{at}": status for at, status in enumerate(sorted(some))}
    return f"#status IN ({', '.join(values)})", values


ENDED: Final = _among(statuses.ENDED)


class LinkedShard(NamedTuple):
    """The shard that a provider batch was made for."""

    batch_id: str
    shard: int


class BatchStore(Table):
    """Read and write the records of batches and shards; conditions keep a late or second worker from changing anything."""

    def create_batch(self, batch: Batch) -> bool:
        """Record a new batch; False if its id is taken. The sweep looks at the batch unless it ended at once."""
        try:
            self._put(batch_key(batch.batch_id), _new(batch))
        except StaleRecord:
            return False
        return True

    def create_retry(self, batch: Batch, latest: str | None) -> bool:
        """Record a new retry, in its parent, too; False if its id is taken, or `latest` is not the parent's latest retry."""
        put = self._putting(batch_key(batch.batch_id), _new(batch), NEW)
        unretried = f"{THERE} AND " + ("#retried_by = :latest" if latest else "attribute_not_exists(#retried_by)")
        values, sets = {":latest": latest} if latest else {}, {"retried_by": batch.batch_id}
        change = changing(batch_key(batch.retry_of or ""), sets, unretried, values)
        try:
            self._write_both(put, change)
        except StaleRecord:
            return False
        return True

    def batch(self, batch_id: str) -> Batch:
        """Read a batch as it is now; raises NotFound."""
        return _batch(self._get(batch_key(batch_id)))

    def find_batch(self, batch_id: str) -> Batch | None:
        """Read a batch as it is now; None if there is none, or its record has expired."""
        return _batch(found) if (found := self._find(batch_key(batch_id))) else None

    def move_batch(self, batch_id: str, status: str, now: int, **changes: object) -> Batch | None:
        """Move a batch to a status and change members with it; None if its present status does not allow the transition."""
        moved = {"status": status, statuses.STAMPS[status]: now, **changes}
        try:
            return self._change_batch(batch_id, moved, *_among(statuses.sources_of(status)))
        except StaleRecord:
            return None

    def change_batch(self, batch_id: str, **changes: object) -> Batch:
        """Change members of a batch; raises StaleRecord if the batch has ended."""
        ended, values = ENDED
        return self._change_batch(batch_id, changes, f"NOT {ended}", values)

    def ask_shards(self, batch_id: str, now: int, wait: int) -> bool:
        """Record that the shards are asked to act at once; False if they were asked less than `wait` seconds ago.

        False, too, if the batch has ended.
        """
        rested = "(attribute_not_exists(#shards_asked_at) OR #shards_asked_at <= :rested)"
        ended, values = ENDED
        condition, given = f"{THERE} AND {rested} AND NOT {ended}", {":rested": now - wait, **values}
        return self._try_change(changing(batch_key(batch_id), {"shards_asked_at": now}, condition, given))

    def keep_copy(self, batch_id: str, **copy: InputObject) -> Batch:
        """Record `source` or `changed` of a batch, whatever its status; raises StaleRecord if the batch is not there."""
        return _batch(self._change(changing(batch_key(batch_id), copy, THERE)))

    def hide_batch(self, batch_id: str, now: int) -> bool:
        """Record that Anthropic's route shows a batch no more; False if the batch is not there."""
        return self._try_change(changing(batch_key(batch_id), {"deleted_at": now}, THERE))

    def take_over_batch(self, batch_id: str, wanted: str | None, /, **changes: object) -> Batch | None:
        """Give the batch of an upload to an API request; None if it is taken, or its lines are for another endpoint."""
        free = "attribute_not_exists(owned_by_request)"
        fits = "(#status = :validating OR #endpoint = :wanted)" if wanted else THERE  # not known yet, or fitting
        values = {":validating": statuses.VALIDATING, ":wanted": wanted} if wanted else {}
        try:
            return self._change_batch(batch_id, changes, f"{free} AND {fits}", values)
        except StaleRecord:
            return None

    def _change_batch(
        self, batch_id: str, changes: Mapping[str, object], condition: str, values: Mapping[str, object]
    ) -> Batch:
        removed = [OPEN] if changes.get("status") in statuses.ENDED else []
        change = changing(batch_key(batch_id), changes, f"{THERE} AND {condition}", values, removed=removed)
        return _batch(self._change(change))

    def open_batches(self, tenant: str, most: int) -> int:
        """Count a tenant's batches that have not ended, up to `most`; a batch of this very second may be missing."""
        request: Any = {
            "TableName": self._table,
            "IndexName": OPEN,
            "KeyConditionExpression": f"{OPEN} = :tenant",
            "ExpressionAttributeValues": encode({":tenant": tenant}),
            "Select": "COUNT",
            "PaginationConfig": {"MaxItems": most},
        }
        with translated(f"counting the open batches of {tenant}"):
            return sum(page["Count"] for page in self._dynamodb.get_paginator("query").paginate(**request))

    def open_of(self, tenant: str) -> Iterator[Batch]:
        """Yield a tenant's batches that have not ended; one of this very second may be missing."""
        listed = self._query(f"{OPEN} = :tenant", {":tenant": tenant}, IndexName=OPEN)
        return map(_batch, self._find_many({"pk": item["pk"], "sk": BATCH} for item in listed))

    def list_batches(
        self, tenant: str, after: str | None, limit: int, *, newest_first: bool = True, messages: bool = False
    ) -> tuple[list[Batch], bool]:
        """Return a tenant's batches behind `after`, with `messages` those of Anthropic's route; and whether more follow."""
        position = None if after is None else self._position(tenant, after)
        rest, start = behind("gsi1sk", position, newest_first=newest_first)
        values = {":tenant": f"TENANT#{tenant}", **start}
        how: Any = {"IndexName": INDEX, "ScanIndexForward": not newest_first, **(MESSAGES if messages else {})}
        items = self._query(f"gsi1pk = :tenant{rest}", values, limit + 1, 1_000 if messages else None, **how)
        found = [*map(_batch, items)]
        return found[:limit], len(found) > limit

    def _position(self, tenant: str, batch_id: str) -> str:
        if (batch := self.batch(batch_id)).tenant != tenant:
            raise NotFound(f"no batch {batch_id}")
        return _index_key(batch)["gsi1sk"]

    def shard(self, batch_id: str, number: int) -> Shard | None:
        """Read a shard as it is now; None before its first attempt."""
        return msgspec.convert(found, Shard) if (found := self._find(_shard_key(batch_id, number))) else None

    def shards(self, batch_id: str) -> Iterator[Shard]:
        """Yield the recorded shards of a batch, in order."""
        values = {":pk": f"BATCH#{batch_id}", ":shard": "SHARD#"}
        found = self._query("pk = :pk AND begins_with(sk, :shard)", values, ConsistentRead=True)
        return (msgspec.convert(item, Shard) for item in found)

    def save_shard(self, before: Shard | None, after: Shard) -> Shard:
        """Write a shard over the version `before`, and the sums of its batch with it; raises StaleRecord if `before` is old."""
        saved = with_next_version(before, after)
        # A worker that was overtaken must not undo the work of the other.
        unmoved = ("#version = :version", {":version": before.version}) if before else (NEW, {})
        put = self._putting(_shard_key(saved.batch_id, saved.shard), members(saved), *unmoved)
        change = _share(before, saved)
        with translated(f"recording shard {saved.shard} of {saved.batch_id}"):
            if change:
                self._write_both(put, change)
            else:
                self._dynamodb.put_item(**put)
        return saved

    def link(self, provider: str, provider_batch_id: str, shard: Shard) -> None:
        """Record which shard a provider batch was made for; two providers may give two batches one id."""
        owner = {"batch_id": shard.batch_id, "shard": shard.shard, "expires_at_ttl": shard.expires_at_ttl}
        self._put(_link_key(provider, provider_batch_id), owner, ANY)

    def linked(self, provider: str, provider_batch_id: str) -> LinkedShard | None:
        """Read which shard a provider's batch was made for; None if that is not recorded."""
        found = self._find(_link_key(provider, provider_batch_id))
        return LinkedShard(found["batch_id"], found["shard"]) if found else None


def _batch(item: dict[str, Any]) -> Batch:
    """Read a batch. Before its usage is final, the sums of its shards stand for it; a pause counts while a shard is paused."""
    used = {name: item.get(f"{USED}{name}", 0) for name in Usage.__struct_fields__}
    cost = {name: item.get(f"{COST}{name}", 0) for name in Cost.__struct_fields__}
    known = {"usage": used if any(used.values()) else None, **item, "cost": item.get("cost") or cost}
    waits = {why: item.get(why) if item.get(those) else None for why, those in WAITS.items()}
    return msgspec.convert({**known, **waits}, Batch)


def batch_key(batch_id: str) -> dict[str, str]:
    """Name the record of a batch."""
    return {"pk": f"BATCH#{batch_id}", "sk": BATCH}


def _new(batch: Batch) -> dict[str, object]:
    unsettled = {} if batch.ended else {"unsettled": "unsettled", OPEN: batch.tenant}
    return {**members(batch), **_index_key(batch), **unsettled}


def _link_key(provider: str, provider_batch_id: str) -> dict[str, str]:
    return {"pk": f"PROVIDER#{provider_batch_id}", "sk": f"LINK#{provider}"}


def _shard_key(batch_id: str, number: int) -> dict[str, str]:
    return {"pk": f"BATCH#{batch_id}", "sk": f"SHARD#{number:05}"}


def _index_key(batch: Batch) -> dict[str, str]:
    milliseconds = "" if batch.created_ms is None else f"{batch.created_ms:03}"
    return {"gsi1pk": f"TENANT#{batch.tenant}", "gsi1sk": f"{batch.created_at:010}{milliseconds}#{batch.batch_id}"}


def _share(before: Shard | None, after: Shard) -> dict[str, Any]:
    """Shape the update of the batch that a change of its shard makes; empty if it makes none.

    Each sum of tokens is an attribute of its own, because DynamoDB adds to an attribute that is not there yet.
    """
    completed = after.completed - (before.completed if before else 0)
    failed = after.failed - (before.failed if before else 0)
    used = msgspec.structs.asdict(after.usage - (before.usage if before else Usage()))
    cost = msgspec.structs.asdict(after.cost - (before.cost if before else Cost()))
    sums = {f"{USED}{name}": count for name, count in used.items() if count}
    sums |= {f"{COST}{name}": amount for name, amount in cost.items() if amount}
    expected = after.expected - (before.expected if before else 0)
    sums |= {"expected": expected} if expected else {}
    within = {"counts.completed": completed, "counts.failed": failed} if completed or failed else {}
    sets, added, deleted = dict[str, object](), dict[str, object](sums), dict[str, object]()
    for why, those in WAITS.items():
        was, now = getattr(before, why, None), getattr(after, why)
        if now and now != was:
            sets[why], added[those] = now, {after.shard}
        elif was and not now:
            deleted[those] = {after.shard}
    if not (within or sets or added or deleted):
        return {}
    return changing(batch_key(after.batch_id), sets, THERE, adds=added, deletes=deleted, within=within)
