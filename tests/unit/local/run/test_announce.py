"""What `make up` tells of its batches, from records and a clock of paper."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import EndpointConnectionError

from local.run.announce import Announcer
from local.stack.running import Stack


def batch(batch_id: str, status: str, **members: Any) -> dict[str, Any]:
    source = {"bucket": "data", "key": f"inbox/default/{batch_id}.jsonl"}
    usual = {"input": source, "input_file_id": "s3://…", "created_at": 1}
    return {"pk": f"BATCH#{batch_id}", "sk": "BATCH", "status": status, **usual, **members}


class World:
    """A stack whose records a test changes, and what is said of them."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.looks = 0
        self.now = 0.0
        self.gone = False
        self.said: list[str] = []
        clients: Any = SimpleNamespace(table=lambda _: SimpleNamespace(scan=self._scan))
        stack = Stack(clients, {"TableName": "t"}, "http://provider", (), Path())
        self.announcer = Announcer(stack, self.said.append, lambda: self.now)

    def _scan(self, **_: Any) -> dict[str, Any]:
        self.looks += 1
        if self.gone:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return {"Items": self.items}

    def after(self, seconds: float, *items: dict[str, Any]) -> list[str]:
        """Return what is said of these records, so many seconds later."""
        self.said.clear()
        self.items, self.now = list(items), self.now + seconds
        self.announcer.look()
        return list(self.said)


def test_a_batch_is_told_once_at_its_beginning_and_once_at_its_end() -> None:
    world = World()
    assert world.after(0) == []
    assert world.after(5, batch("a", "validating")) == ["a begins: s3://data/inbox/default/a.jsonl"]
    assert world.after(5, batch("a", "in_progress", shards=1)) == []
    done = batch("a", "completed", shards=1, counts={"total": 1_200, "completed": 1_198, "failed": 2})
    assert world.after(5, done) == ["a ends: completed after 10 s, 1,200 lines (1,198 succeeded, 2 failed)."]
    assert world.after(5, done) == []


def test_an_estimate_is_told_as_one() -> None:
    done = batch("a", "completed", dry_run=True, shards=1, counts={"total": 180, "completed": 0, "failed": 0})
    assert World().after(5, done)[1] == "a ends: completed after 0 s, 180 lines (estimated, nothing was sent)."


def test_batches_that_come_and_go_between_two_looks_are_told_oldest_first() -> None:
    refused = batch("b", "failed", errors=[{"message": "The file is empty."}], errors_total=3, created_at=2)
    assert World().after(5, refused, batch("a", "cancelled", created_at=1)) == [
        "a begins: s3://data/inbox/default/a.jsonl",
        "a ends: cancelled after 0 s.",
        "b begins: s3://data/inbox/default/b.jsonl",
        "b ends: failed after 0 s. The file is empty. … and 2 more",
    ]


def test_a_pause_is_told_once_though_its_words_name_other_ids() -> None:
    world = World()
    world.after(5, batch("a", "in_progress"))

    def paused(reason: str) -> dict[str, Any]:
        return batch("a", "in_progress", paused=reason, paused_shards={"0"})

    assert world.after(5, paused("no answer, request req_1")) == ["a waits: no answer, request req_1"]
    assert world.after(5, paused("no answer, request req_2")) == []
    assert world.after(5, paused("The key is refused")) == ["a waits: The key is refused"]
    assert world.after(5, batch("a", "in_progress", paused="The key is refused")) == ["a goes on."]


def test_the_records_are_not_read_without_pause() -> None:
    world = World()
    for _ in range(20):
        world.after(0.3)
    assert world.looks == 3


def test_an_engine_that_is_gone_is_left_to_whoever_watches_it() -> None:
    world = World()
    world.gone = True
    assert world.after(5, batch("a", "validating")) == []


def test_a_batch_without_an_input_is_named_by_the_file_that_was_asked_for_and_told_why_it_failed() -> None:
    missing = {"input": {"bucket": "data", "key": ""}, "input_file_id": "file-x"}
    why = "The input file 'file-x' was not found, or is not yours."
    refused = batch("a", "failed", errors=[{"message": why}], errors_total=1, **missing)
    assert World().after(5, refused) == ["a begins: file-x", f"a ends: failed after 0 s. {why}"]
