"""What a stopped run waits for, does and says, with a stack and a provider of paper."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.run import fetch_partial as module
from local.run.fetch_partial import fetch_partial
from local.stack.running import Stack

BATCH = "batch_1"
ONE_LOOK = 0.0  # minutes


class Clients:
    """The engine: its records, what its bucket holds, and the payloads that functions were given."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = list(items)
        self.kept: dict[str, str] = {}
        self.invoked: list[dict[str, Any]] = []
        self.s3 = SimpleNamespace(list_objects_v2=self._listed, download_file=self._download)

    def table(self, _: str) -> Any:
        return SimpleNamespace(query=lambda **_: {"Items": self.items})

    def other(self, service: str) -> Any:
        found = {"StackResourceDetail": {"PhysicalResourceId": "advance"}}
        return {
            "cloudformation": SimpleNamespace(describe_stack_resource=lambda **_: found),
            "lambda": SimpleNamespace(invoke=lambda **given: self.invoked.append(json.loads(given["Payload"]))),
        }[service]

    def _listed(self, **_: str) -> dict[str, Any]:
        return {"Contents": [{"Key": key, "Size": len(text)} for key, text in self.kept.items()]}

    def _download(self, _: str, key: str, path: str) -> None:
        Path(path).write_text(self.kept[key], encoding="utf-8")


class Provider:
    """A provider whose batches are over, or not."""

    def __init__(self, **over: bool) -> None:
        self.over = over

    @contextmanager
    def asking(self, name: str, _: float) -> Iterator[Any]:
        assert name == "groq"
        yield SimpleNamespace(look=lambda batch_id: SimpleNamespace(ended=self.over[batch_id]))


@pytest.fixture(autouse=True)
def of_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "asking", lambda own, *given: own.asking(*given))


def fetched(clients: Any, provider: Any, out: Path, minutes: float) -> tuple[bool, list[str]]:
    stack = Stack(clients, {"TableName": "t", "BucketName": "b"}, "http://provider", (), out)
    told: list[str] = []
    return fetch_partial(stack, provider, BATCH, out, told.append, minutes), told


def batch(status: str, **members: Any) -> dict[str, Any]:
    return {"sk": "BATCH", "status": status, **members}


def shard(number: int, status: str, **attempt: Any) -> dict[str, Any]:
    return {
        "sk": f"SHARD#{number}", "shard": number, "provider": "groq", "status": status, "attempts": [attempt],
    }  # fmt: skip


def test_what_a_batch_has_at_its_end_is_put_into_the_folder(tmp_path: Path) -> None:
    counts = {"total": 2, "completed": 1}
    clients = Clients(batch("cancelled", shards=1, counts=counts), shard(0, "done", ended_at=7))
    clients.kept = {f"results/default/{BATCH}/output.jsonl": "{}\n", f"results/default/{BATCH}/report.json": "{}"}
    assert fetched(clients, Provider(), tmp_path, ONE_LOOK) == (
        True,
        [
            "Waiting for its end, 0 minutes at most, to fetch what is finished. Ctrl-C again ends at once.",
            "No input and no result of it is left at the provider.",
        ],
    )
    assert sorted(path.name for path in (tmp_path / BATCH).iterdir()) == ["output.jsonl", "report.json"]
    assert (tmp_path / "output.jsonl").read_text() == "{}\n"


def test_results_of_an_earlier_run_stay_where_nothing_was_finished(tmp_path: Path) -> None:
    clients = Clients(batch("cancelled", shards=1, counts={"total": 2}), shard(0, "done", ended_at=7))
    clients.kept = {f"results/default/{BATCH}/report.json": "{}"}
    ended, told = fetched(clients, Provider(), tmp_path, ONE_LOOK)
    assert ended
    assert told[1:] == ["Nothing of it was finished.", "No input and no result of it is left at the provider."]
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_does_not_end_in_time_is_told_with_the_files_it_leaves(tmp_path: Path) -> None:
    clients = Clients(batch("cancelling", shards=1), shard(0, "waiting", provider_batch_id="a", file_id="file-a"))
    ended, told = fetched(clients, Provider(a=False), tmp_path, ONE_LOOK)
    assert not ended
    assert told[1:] == ["It has not ended after 0 minutes: nothing was fetched.", "Left at the provider: file-a."]
    assert list(tmp_path.iterdir()) == []


def test_only_what_nothing_at_the_provider_keeps_from_its_end_is_played_at_once(tmp_path: Path) -> None:
    clients = Clients(
        batch("cancelling", shards=5),
        shard(0, "waiting", provider_batch_id="a"),
        shard(1, "waiting", provider_batch_id="b"),
        shard(2, "done", ended_at=7),
        shard(3, "waiting", ended_at=7),
    )
    fetched(clients, Provider(a=False, b=True), tmp_path, ONE_LOOK)
    assert clients.invoked == [{"batch_id": BATCH, "shard": number} for number in (1, 3, 4)]
