"""What a watching person is told of a batch's records."""

from typing import Any

import msgspec
import pytest

from batchyard.adapters.stores.batch_store import WAITS
from batchyard.domain.attempt import Attempt
from batchyard.domain.shard import DONE, Shard
from local.run.records import (
    AtProvider,
    Held,
    Open,
    has_answers,
    list_held,
    list_open_shards,
    read_at_provider,
    read_progress,
)


class Table:
    """Answers a query with the records of one batch."""

    def __init__(self, *shards: Shard, **members: Any) -> None:
        self._batch = {"sk": "BATCH", "status": "in_progress", **members}
        self._shards = [{"sk": f"SHARD#{shard.shard}", **msgspec.to_builtins(shard)} for shard in shards]

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": [self._batch, *self._shards]}


def shard(number: int, *attempts: Attempt, **members: Any) -> Shard:
    """Make a shard as the core records it, so that a member whose name changes there fails here."""
    members = {"endpoint": "/v1/responses", "model": "m", "lines": 1, "first": 0, "last": 0, "unfinished": 1, **members}
    return Shard(batch_id="batch_1", shard=number, expires_at_ttl=9, attempts=list(attempts), **members)


def attempt(**members: Any) -> Attempt:
    return Attempt(number=1, started_at=1, lines=1, **members)


@pytest.mark.parametrize(
    ("held", "shown"),
    [
        ({WAITS["paused"]: {"0"}}, "pay first"), ({}, None), ({WAITS["waits"]: {"1"}}, "no room"),
        ({WAITS["paused"]: {"0"}, WAITS["waits"]: {"1"}}, "pay first"),
    ],
)  # fmt: skip
def test_a_pause_is_told_as_long_as_a_shard_has_it(held: Any, shown: str | None) -> None:
    table: Any = Table(paused="pay first", waits="no room", **held)
    assert read_progress(table, "batch_1").paused == shown


def test_the_lines_of_running_shards_are_counted_from_their_records() -> None:
    table: Any = Table(shard(0, status=DONE, completed=4, failed=1), shard(1, completed=2), shards=2)
    now = read_progress(table, "batch_1")
    assert (now.shards, now.shards_done, now.completed, now.failed) == (2, 1, 6, 1)


def test_a_shard_without_a_record_waits_for_nothing_at_the_provider() -> None:
    running = attempt(provider_batch_id="batch_p", file_id="file-a")
    ended = attempt(provider_batch_id="batch_o", ended_at=7)
    table: Any = Table(
        shard(0, ended, status=DONE), shard(2, ended, running, provider="groq"), shard(3, ended), shards=5
    )
    assert list_open_shards(table, "batch_1") == {
        1: Open(None, None, 0), 2: Open("groq", Held("groq", "batch_p"), 1), 3: Open("", None, 1), 4: Open(None, None, 0),
    }  # fmt: skip


def test_a_create_without_an_id_may_be_at_the_provider() -> None:
    ended, running = attempt(provider_batch_id="batch_o", ended_at=7), attempt(provider_batch_id="batch_p")
    table: Any = Table(shard(0, ended, attempt(creating_at=8)), shard(1, running))
    assert read_at_provider(table, "batch_1") == AtProvider([Held("", "batch_p")], creating=True, any=True)
    table = Table(shard(0, attempt()))
    assert read_at_provider(table, "batch_1") == AtProvider([], creating=False, any=False)


def test_files_are_left_while_a_shard_names_them() -> None:
    over, live = attempt(file_id="file-a", ended_at=7), attempt(file_id="file-b")
    table: Any = Table(
        shard(0, over, files_to_delete=["file-c", "file-d"], provider="groq"),
        shard(1, live, file_id="file-b"),
        shard(2),
    )
    assert list_held(table, "batch_1") == [Held("groq", "file-c"), Held("groq", "file-d"), Held("", "file-b")]
    table = Table(shard(0, files_to_delete=["file-c"], status=DONE), shard(1, live))
    assert list_held(table, "batch_1", unfinished=True) == [Held("", "file-b")]


@pytest.mark.parametrize(("members", "there"), [({"failed": 1}, True), ({"succeeded": 1}, True), ({}, False)])
def test_answers_that_a_provider_only_counts_are_not_there(members: Any, there: bool) -> None:
    table: Any = Table(shard(0, attempt(**members), completed=3))
    assert has_answers(table, "batch_1") is there
