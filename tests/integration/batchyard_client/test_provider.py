"""The same commands before a provider itself: one provider batch, and words for what a provider cannot do."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchyard_client.__main__ import main
from batchyard_client.errors import Stopped
from batchyard_client.front import Front
from batchyard_client.home import Home
from batchyard_client.inputs import Input
from batchyard_client.screen import Bar, QuietScreen
from batchyard_client.sending import Options, Sending
from batchyard_client.settings import Place
from tests.integration.local.emulator.running import Emulator, chat_line, jsonl, started


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with started("--seconds-per-batch", "0.3") as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def _here(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BATCHYARD_URL", emulator.url)
    monkeypatch.setenv("BATCHYARD_KEY", emulator.api_key)
    Path("in.jsonl").write_bytes(jsonl([chat_line(f"a-{number}") for number in range(20)]))


def front(emulator: Emulator) -> Front:
    place = Place(emulator.url, emulator.api_key)
    return Front(place, Home(Path("home")), sleep=lambda _seconds: None)


def batches(emulator: Emulator) -> list[str]:
    return [str(each["id"]) for each in emulator.call("GET", "/batches").json()["data"]]


def test_a_run_gives_the_answers_in_the_order_of_the_input(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "in.jsonl", "--out", "all.jsonl"]) == 0
    assert main(["run", "in.jsonl", "--out", "all.jsonl"]) == 0
    found = [json.loads(line)["custom_id"] for line in Path("all.jsonl").read_bytes().splitlines()]
    assert found == [f"a-{number}" for number in range(20)]
    assert len(batches(emulator)) == 1
    told = capsys.readouterr().err
    assert "is a provider: the input becomes one of its batches, without an estimate" in told
    assert told.splitlines()[-1] == "20 of 20 rows are answered: all.jsonl."


def test_a_table_works_too(emulator: Emulator) -> None:
    Path("in.csv").write_text("text\n" + "".join(f"text {number}\n" for number in range(30)))
    assert main(["run", "in.csv", "--model", "gpt-4.1-mini", "--prompt", "Say {text}", "--out", "a.csv"]) == 0
    assert len(Path("a.csv").read_text().splitlines()) == 31
    assert len(batches(emulator)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["retry", "batch_1"], "is not Batchyard, and cannot retry a batch"),
        (["resume", "batch_1"], "is not Batchyard, and cannot resume a batch"),
        (["usage"], "is not Batchyard, and cannot tell what was used"),
        (["estimate", "in.jsonl"], "is not Batchyard, and cannot estimate a batch"),
        (["run", "in.jsonl", "--max-cost", "1"], "is not Batchyard, and does not know max_cost_usd"),
        (["run", "in.jsonl", "--provider", "groq"], "is not Batchyard, and does not know provider"),
    ],
)
def test_what_a_provider_cannot_do_is_said(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], emulator: Emulator
) -> None:
    assert main(arguments) == 3
    assert words in capsys.readouterr().err
    assert batches(emulator) == []


def test_more_than_a_provider_takes_is_refused_before_it_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.csv").write_text("text\n" + "".join(f"{number}\n" for number in range(50_001)))
    assert main(["run", "in.csv", "--model", "m", "--prompt", "{text}"]) == 3
    assert "takes 50,000 requests and 200 MB in a batch; these are 50,001" in capsys.readouterr().err


@pytest.mark.parametrize("made", [True, False], ids=["the batch was made", "it was not"])
def test_a_create_whose_answer_was_lost_is_looked_up_and_not_sent_twice(emulator: Emulator, *, made: bool) -> None:
    lost = {"operation": "createBatch", "nth": 1, "do": {"connection": "reset", "after_effect": made}}
    emulator.play(calls=[lost])
    sending = Sending(front(emulator), Input("in.jsonl"), Options())
    if made:
        assert sending.run().batch_id == batches(emulator)[0]
    else:
        with pytest.raises(Stopped), front(emulator).words():
            sending.run()
        assert batches(emulator) == []
    record = Sending(front(emulator), Input("in.jsonl"), Options()).run()
    assert batches(emulator) == [record.batch_id]


def test_no_retry_is_promised_of_a_provider(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.play(lines=[{"custom_id": "a-3", "do": {"status": 400, "code": "too_long", "message": "too long"}}])
    assert main(["run", "in.jsonl", "--out", "all.jsonl"]) == 1
    told = capsys.readouterr().err
    assert "19 of 20 rows are answered, 1 failed" in told
    assert "A provider has no retry: to send what failed again (1 row)" in told
    assert "batchyard retry" not in told


def test_another_machine_takes_up_the_same_batch(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for home in ("one", "two"):
        monkeypatch.setenv("BATCHYARD_HOME", home)
        assert main(["run", "in.jsonl", "--out", f"{home}.jsonl"]) == 0
    assert len(batches(emulator)) == 1
    assert f"This content was sent before, as {batches(emulator)[0]}" in capsys.readouterr().err
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()
    assert main(["run", "in.jsonl", "--out", "new.jsonl", "--new", "--quiet"]) == 0
    assert len(batches(emulator)) == 2


class Meanwhile(QuietScreen):
    """Does something once, as soon as an upload begins."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._acts = [act]

    @contextmanager
    def bar(self, label: str, total: int | None, *, of_bytes: bool = False) -> Iterator[Bar]:
        if label == "Uploading" and self._acts:
            self._acts.pop()()
        with super().bar(label, total, of_bytes=of_bytes) as bar:
            yield bar


def test_a_machine_that_sends_meanwhile_is_seen_before_the_batch_is_made(emulator: Emulator) -> None:
    place = Place(emulator.url, emulator.api_key)
    other = Sending(Front(place, Home(Path("other"))), Input("in.jsonl"), Options())
    record = Sending(Front(place, Home(Path("one")), Meanwhile(other.run)), Input("in.jsonl"), Options()).run()
    assert batches(emulator) == [record.batch_id]
