"""A write that only meets another one under way is made again; one whose condition failed is not."""

from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from batchyard.adapters import aws
from batchyard.adapters.stores.batch_store import BatchStore
from batchyard.domain.batch import Counts
from batchyard.domain.errors import StaleRecord, StoreError
from batchyard.domain.shard import with_members
from batchyard.lines.shard_lines import Place, ShardLines, new_shard
from tests.fakes.batches import BATCH_ID, batch

CONFLICT, CONDITION, NONE, THROTTLED = "TransactionConflict", "ConditionalCheckFailed", "None", "ThrottlingError"


def cancelled(*reasons: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(answer, "TransactWriteItems")


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "UpdateItem")


class Table:
    """A DynamoDB client that refuses some writes first, and counts them all."""

    def __init__(self, *refusals: ClientError) -> None:
        self.refusals = list(refusals)
        self.calls: list[str] = []

    def _write(self, name: str) -> None:
        self.calls.append(name)
        if self.refusals:
            raise self.refusals.pop(0)

    def transact_write_items(self, **_: object) -> None:
        self._write("transact_write_items")

    def put_item(self, **_: object) -> None:
        self._write("put_item")

    def update_item(self, **_: object) -> dict[str, object]:
        self._write("update_item")
        made = batch(counts=Counts(3, 0, 0))
        names = ("batch_id", "tenant", "status", "completion_window", "input_file_id")
        text = {name: {"S": getattr(made, name)} for name in names}
        times = {name: {"N": str(getattr(made, name))} for name in ("created_at", "expires_at", "expires_at_ttl")}
        source = msgspec.to_builtins(made.input)
        where = {name: {"S": source[name]} for name in ("bucket", "key", "etag")} | {"size": {"N": "10"}}
        return {"Attributes": {**text, **times, "input": {"M": where}}}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "CONFLICT_WAIT", (0.0, 0.0))


def save(table: Table) -> None:
    """Write a shard whose counts move its batch's."""
    lines = ShardLines(0, "/v1/responses", "m")
    lines.add(Place(0, 1, 0), ["a"], [1])
    shard = new_shard(batch(), lines)
    BatchStore("table", table).save_shard(shard, with_members(shard, completed=1))  # type: ignore[arg-type]  # what it calls is there


def move(table: Table) -> None:
    assert BatchStore("table", table).change_batch(BATCH_ID, paused="no").batch_id == BATCH_ID  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("write", "conflict"),
    [
        (save, cancelled(NONE, CONFLICT)),
        (save, cancelled(CONFLICT, NONE)),
        (save, refused("TransactionConflictException")),
        (move, refused("TransactionConflictException")),
    ],
)
def test_a_conflict_is_tried_again_until_the_write_is_made(write: Any, conflict: ClientError) -> None:
    table = Table(*[conflict] * aws.CONFLICT_TRIES)
    write(table)
    assert len(table.calls) == aws.CONFLICT_TRIES + 1


@pytest.mark.parametrize(
    ("write", "conflict"), [(save, cancelled(NONE, CONFLICT)), (move, refused("TransactionConflictException"))]
)
def test_conflicts_without_end_are_trouble_of_the_store_and_not_a_stale_record(
    write: Any, conflict: ClientError
) -> None:
    table = Table(*[conflict] * 100)
    with pytest.raises(StoreError):
        write(table)
    assert len(table.calls) == aws.CONFLICT_TRIES + 1


@pytest.mark.parametrize(
    ("write", "error", "meaning"),
    [
        (save, cancelled(CONDITION, NONE), StaleRecord),
        (save, cancelled(CONDITION, CONFLICT), StaleRecord),
        (save, cancelled(NONE, THROTTLED), StoreError),
        (save, refused("InternalServerError"), StoreError),
        (move, refused("ConditionalCheckFailedException"), StaleRecord),
        (move, refused("ProvisionedThroughputExceededException"), StoreError),
    ],
)
def test_any_other_refusal_is_told_at_once_by_its_meaning(
    write: Any, error: ClientError, meaning: type[Exception]
) -> None:
    table = Table(error)
    with pytest.raises(meaning):
        write(table)
    assert len(table.calls) == 1
