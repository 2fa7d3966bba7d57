"""What a watching person is told of a batch's records."""

from typing import Any

import pytest

from local.records import progress


class Table:
    """Answers a query with the records of one batch."""

    def __init__(self, **members: Any) -> None:
        self._batch = {"sk": "BATCH", "status": "in_progress", **members}

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": [self._batch]}


@pytest.mark.parametrize(("held", "shown"), [({"0"}, "no room"), (None, None)])
def test_a_pause_is_told_as_long_as_a_shard_has_it(held: Any, shown: str | None) -> None:
    table: Any = Table(paused="no room", **({} if held is None else {"held_by": held}))
    assert progress(table, "batch_1").paused == shown
