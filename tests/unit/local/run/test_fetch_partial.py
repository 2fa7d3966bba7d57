"""What a stopped run waits for, does and says, with a stack and a provider of paper."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batch_client import APIConnectionError, Look, State
from local.run import fetch_partial as module
from local.run import looks as looks_module
from local.run.cancel_sentences import AGAIN
from local.run.fetch_partial import fetch_partial
from local.run.looks import Looks
from local.signals import Hurry
from local.stack.running import Stack

BATCH = "batch_1"
ONE_LOOK = 0.0  # minutes


class Clients:
    """The engine: its records, what its bucket holds, the payloads that functions were given, and those that were stopped."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = list(items)
        self.kept: dict[str, str] = {}
        self.invoked: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        #: What the assemble function answers, one after the other, and what the batch is afterwards.
        self.answers: list[dict[str, Any]] = [{"next": "done"}]
        self.assembled = batch("cancelled", shards=2, counts={"total": 2, "completed": 1, "failed": 1})
        self.s3 = SimpleNamespace(list_objects_v2=self._listed, download_file=self._download)

    def table(self, _: str) -> Any:
        return SimpleNamespace(query=lambda **_: {"Items": self.items})

    def other(self, service: str, _: float | None = None) -> Any:
        names = [{"Functions": [{"FunctionName": name} for name in ("AssembleFunction", "PollFunction")]}]
        return {
            "cloudformation": SimpleNamespace(describe_stack_resource=self._described),
            "lambda": SimpleNamespace(
                invoke=self._invoke,
                get_paginator=lambda _: SimpleNamespace(paginate=lambda: names),
                put_function_concurrency=lambda **given: self.stopped.append(given["FunctionName"]),
            ),
        }[service]

    def _described(self, *, LogicalResourceId: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"StackResourceDetail": {"PhysicalResourceId": LogicalResourceId}}

    def _invoke(self, *, FunctionName: str, Payload: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        given = json.loads(Payload)
        if FunctionName == "AdvanceFunction":
            self.invoked.append(given)
            return {}
        assert given == {"batch_id": BATCH}
        answer = self.answers.pop(0)
        if answer.get("next") == "done":
            self.items[0] = self.assembled
        return {"Payload": BytesIO(json.dumps(answer).encode())}

    def _listed(self, **_: str) -> dict[str, Any]:
        return {"Contents": [{"Key": key, "Size": len(text)} for key, text in self.kept.items()]}

    def _download(self, _: str, key: str, path: str) -> None:
        Path(path).write_text(self.kept[key], encoding="utf-8")


class Providers:
    """Providers whose batches are over, or not; those whose batch is over as None do not answer."""

    def __init__(self, **over: bool | None) -> None:
        self.over = over

    def named(self, name: str) -> Any:
        return SimpleNamespace(name=name)

    @contextmanager
    def asking(self, *_: Any) -> Iterator[Any]:
        yield SimpleNamespace(look=self._look, jobs=lambda: iter(()))

    def _look(self, batch_id: str) -> Look:
        over = self.over[batch_id]
        if over is None:
            raise APIConnectionError("No whole answer from 127.0.0.1:9: the connection is refused")
        return Look(id=batch_id, state=State.ENDED if over else State.ENDING, status="cancelled")


@pytest.fixture(autouse=True)
def of_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, "asking", lambda own, *given: own.asking(*given))
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)


def fetched(clients: Any, providers: Any, out: Path, minutes: float = 1.0, *, hurries: bool = False) -> list[str]:
    stack = Stack(clients, {"TableName": "t", "BucketName": "b"}, "http://provider", (), out)
    told, hurry = list[str](), Hurry()
    hurry.asked = hurries
    looks = Looks(providers, lambda: hurry.asked)
    fetch_partial(stack, looks, BATCH, out, told.append, hurry, minutes)
    return told


def batch(status: str, **members: Any) -> dict[str, Any]:
    return {"sk": "BATCH", "status": status, **members}


def shard(number: int, status: str, provider: str = "groq", **attempt: Any) -> dict[str, Any]:
    return {
        "sk": f"SHARD#{number}", "shard": number, "provider": provider, "status": status, "unfinished": 1,
        "attempts": [attempt],
    }  # fmt: skip


def results(**texts: str) -> dict[str, str]:
    return {f"results/default/{BATCH}/{name}.{'json' if name == 'report' else 'jsonl'}": texts[name] for name in texts}


def test_what_a_batch_has_at_its_end_is_put_into_the_folder(tmp_path: Path) -> None:
    counts = {"total": 2, "completed": 1}
    clients = Clients(batch("cancelled", shards=1, counts=counts), shard(0, "done", ended_at=7))
    clients.kept = results(output="{}\n", report="{}")
    assert fetched(clients, Providers(), tmp_path) == [
        f"Waiting for its end, 1 minutes at most, to fetch what is finished. {AGAIN}",
        "No input and no result of it is left at the provider.",
    ]
    assert sorted(path.name for path in (tmp_path / BATCH).iterdir()) == ["output.jsonl", "report.json"]
    assert (tmp_path / "output.jsonl").read_text() == "{}\n"


def test_results_of_an_earlier_run_stay_where_nothing_was_finished(tmp_path: Path) -> None:
    clients = Clients(batch("cancelled", shards=1, counts={"total": 2}), shard(0, "done", ended_at=7))
    clients.kept = results(report="{}")
    told = fetched(clients, Providers(), tmp_path)
    assert told[1:] == ["Nothing of it was finished.", "No input and no result of it is left at the provider."]
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_does_not_end_in_time_is_told_with_the_files_it_leaves(tmp_path: Path) -> None:
    clients = Clients(batch("cancelling", shards=1), shard(0, "waiting", provider_batch_id="a", file_id="file-a"))
    told = fetched(clients, Providers(a=False), tmp_path, ONE_LOOK)
    assert told[1:] == ["Nothing of it was finished.", "Left at the provider: file-a at groq."]
    assert list(tmp_path.iterdir()) == []


def test_only_what_nothing_at_the_provider_keeps_from_its_end_is_played_at_once(tmp_path: Path) -> None:
    clients = Clients(
        batch("cancelling", shards=5),
        shard(0, "waiting", provider_batch_id="a"),
        shard(1, "waiting", provider_batch_id="b"),
        shard(2, "done", ended_at=7),
        shard(3, "waiting", ended_at=7),
    )
    fetched(clients, Providers(a=False, b=True), tmp_path, ONE_LOOK)
    assert clients.invoked == [{"batch_id": BATCH, "shard": number} for number in (1, 3, 4)]


def half_answered() -> Clients:
    """Return a batch with the answers of one provider, while the batch `a` of another one still runs as far as is known."""
    clients = Clients(
        batch("cancelling", shards=2),
        shard(0, "done", "openai", ended_at=7, succeeded=1),
        shard(1, "waiting", provider_batch_id="a", file_id="file-a"),
    )
    clients.kept = results(output="{}\n", errors="{}\n")
    return clients


def test_a_provider_that_does_not_answer_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clients = half_answered()
    told = fetched(clients, Providers(a=None), tmp_path)
    assert (tmp_path / "output.jsonl").read_text() == "{}\n"
    assert clients.stopped == ["PollFunction"]  # nothing moves while the results are written
    errors, retry = (tmp_path / BATCH / name for name in ("errors.jsonl", "retry.jsonl"))
    unknown = f"These are outcome_unknown in {errors}, and in {retry}, too. To go on: once the provider answers, "
    assert told[1:] == [
        "What is finished is put together.",
        "groq has not answered for 0 s (the connection is refused). What became of 1 request there is not known.",
        unknown + "cancel there what was not cancelled, or take its answers; then run retry.jsonl.",
        "Left at the provider: file-a at groq.",
    ]
    assert "(groq does not answer (the connection is refused), and is waited for 0 s more)" in capsys.readouterr().err


def test_one_that_answers_is_waited_for_while_another_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clients, providers = half_answered(), Providers(a=None, b=False)
    clients.items.append(shard(2, "waiting", "openai", provider_batch_id="b"))
    naps: list[float] = []

    def nap(_: Hurry, seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            clients.items[-1]["status"] = "done"

    monkeypatch.setattr(Hurry, "nap", nap)
    fetched(clients, providers, tmp_path)
    assert len(naps) == 3
    assert (
        "groq does not answer (the connection is refused), and is waited for 0 s more; openai has 1 shard to end"
        in (capsys.readouterr().err)
    )


def test_a_person_in_a_hurry_gets_what_is_there_and_nothing_is_deleted(tmp_path: Path) -> None:
    clients = half_answered()
    told = fetched(clients, Providers(a=False), tmp_path, hurries=True)
    assert told == ["What is finished is put together.", "Left at the provider: file-a at groq."]
    assert (tmp_path / "output.jsonl").read_text() == "{}\n"
    assert clients.invoked == []


def test_results_that_need_more_time_are_gone_on_with(tmp_path: Path) -> None:
    clients = half_answered()
    clients.answers = [{"next": "assemble"}, {"next": "done"}]
    fetched(clients, Providers(a=False), tmp_path, hurries=True)
    assert clients.answers == []
    assert (tmp_path / "output.jsonl").exists()


def test_results_that_cannot_be_written_are_told_with_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "save_logs", lambda _: tmp_path / "functions.log")
    clients = half_answered()
    clients.answers = [{"errorMessage": "no room"}]
    told = fetched(clients, Providers(a=False), tmp_path, hurries=True)
    assert told[1] == f"It could not be put together. What the functions logged: {tmp_path / 'functions.log'}"
    assert told[2] == "Nothing of it was finished."
