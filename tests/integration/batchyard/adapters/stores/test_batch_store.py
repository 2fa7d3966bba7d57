"""Batches in the real table: a tenant's open ones are read many at a time, and each as it is now."""

from typing import Any

import boto3
import pytest

from batchyard.adapters.stores.batch_store import BatchStore
from batchyard.domain.batch import derived_id
from tests.fakes.batches import NOW, batch
from tests.fakes.moto import TABLE


class Client:
    """A client of DynamoDB that answers for so many keys with each call, and keeps the names of the calls."""

    def __init__(self, most: int = 100) -> None:
        self.calls: list[str] = []
        self._most = most

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(boto3.client("dynamodb"), name)

    def batch_get_item(self, *, RequestItems: Any) -> Any:  # noqa: N803 - boto3's own name
        self.calls.append("batch_get_item")
        wanted: Any = RequestItems[TABLE]
        first, rest = wanted["Keys"][: self._most], wanted["Keys"][self._most :]
        asked: Any = {TABLE: {**wanted, "Keys": first}}
        answer = boto3.client("dynamodb").batch_get_item(RequestItems=asked)
        return {**answer, "UnprocessedKeys": {TABLE: {**wanted, "Keys": rest}} if rest else {}}


def opened(client: Client, count: int) -> tuple[BatchStore, list[str]]:
    store, ids = BatchStore(TABLE, client), sorted(derived_id("test", str(at)) for at in range(count))  # type: ignore[arg-type]  # it has all that is called
    for batch_id in ids:
        store.create_batch(batch(batch_id=batch_id, tenant="team"))
    store.create_batch(batch(batch_id=derived_id("other"), tenant="other"))
    client.calls.clear()
    return store, ids


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("count", [0, 1, 100, 101, 205])
def test_open_batches_are_read_a_hundred_at_a_time(count: int) -> None:
    client = Client()
    store, ids = opened(client, count)
    assert sorted(each.batch_id for each in store.open_of("team")) == ids
    assert client.calls.count("batch_get_item") == -(-count // 100)
    assert "get_item" not in client.calls
    if ids:
        store.move_batch(ids[0], "failed", NOW)
        assert len(list(store.open_of("team"))) == count - 1


@pytest.mark.usefixtures("world")
def test_what_a_busy_table_leaves_out_is_asked_for_again() -> None:
    client = Client(most=1)
    store, ids = opened(client, 7)
    assert sorted(each.batch_id for each in store.open_of("team")) == ids
    assert client.calls.count("batch_get_item") == 7
