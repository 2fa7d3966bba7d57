"""What a watching person is told of a batch's records."""

from typing import Any

import pytest

from local.run.records import list_files_at_provider, list_open_shards, read_progress


class Table:
    """Answers a query with the records of one batch."""

    def __init__(self, *shards: dict[str, Any], **members: Any) -> None:
        self._batch = {"sk": "BATCH", "status": "in_progress", **members}
        self._shards = [{"sk": f"SHARD#{shard['shard']}", **shard} for shard in shards]

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": [self._batch, *self._shards]}


@pytest.mark.parametrize(("held", "shown"), [({"0"}, "no room"), (None, None)])
def test_a_pause_is_told_as_long_as_a_shard_has_it(held: Any, shown: str | None) -> None:
    table: Any = Table(paused="no room", **({} if held is None else {"held_by": held}))
    assert read_progress(table, "batch_1").paused == shown


def test_a_shard_without_a_record_waits_for_nothing_at_the_provider() -> None:
    running = {"provider_batch_id": "batch_p", "file_id": "file-a"}
    ended = {"provider_batch_id": "batch_o", "ended_at": 7}
    table: Any = Table(
        {"shard": 0, "status": "done", "attempts": [ended]},
        {"shard": 2, "status": "waiting", "attempts": [ended, running]},
        {"shard": 3, "status": "waiting", "attempts": [ended]},
        shards=5,
    )
    assert list_open_shards(table, "batch_1") == {1: None, 2: "batch_p", 3: None, 4: None}


def test_files_are_left_while_a_shard_names_them() -> None:
    over, live = {"file_id": "file-a", "ended_at": 7}, {"file_id": "file-b"}
    table: Any = Table(
        {"shard": 0, "leftovers": ["file-c", "file-d"], "attempts": [over]},
        {"shard": 1, "file_id": "file-b", "attempts": [live]},
        {"shard": 2},
    )
    assert list_files_at_provider(table, "batch_1") == ["file-c", "file-d", "file-b"]
