"""What a command says, and with which status it ends, where a person has to know more than that it failed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import batchyard_client as by
from batchyard_client.__main__ import main
from batchyard_client.service import LOOKED_BACK
from tests.fakes.front_door import KEY, Books
from tests.integration.batchyard_client.test_command import PROMPT, ROWS, requests, table
from tests.integration.batchyard_client.test_target import room

pytestmark = pytest.mark.usefixtures("_here")


def command(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the command as a process."""
    environment = {**os.environ, "PYTHONPATH": str(Path(by.__file__).parents[1])}
    call = [sys.executable, "-m", "batchyard_client", *arguments]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.run(call, env=environment, text=True, timeout=60, check=False, **given)  # noqa: S603 - our own program


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "in.csv", *PROMPT, "--max-cost", "-1"], "--max-cost"),
        (["run", "in.csv", *PROMPT, "--max-cost", "nan"], "an amount above 0"),
        (["retry", "batch_1", "--max-cost", "0"], "--max-cost"),
        (["usage", "--from", "2026-13-01"], "--from"),
        (["usage", "--from", "2026-02-02", "--to", "2026-02-01"], "--from 2026-02-02 is after --to 2026-02-01"),
        (["run", "in.csv", *PROMPT, "--out", "-"], "results need a file"),
        (["fetch", "batch_1", "--out", "-"], "results need a file"),
        (["report", "batch_1", "--html", "--out", "-"], "results need a file"),
        (["run", "in.jsonl", "--model", "m"], "A file of requests has all that in each request: leave --model out"),
        (["run", "in.csv", "--model", "m"], "need a question too: --prompt, --embed or --body"),
        (["run", "none.jsonl", "--model", "m", "--prompt", "{text}"], "There is no file none.jsonl"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], books: Books
) -> None:
    table()
    requests()
    assert main(arguments) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not Path("-").exists()
    assert not books.files


def test_a_bound_that_is_none_is_refused_by_the_python_call_too(books: Books) -> None:
    with pytest.raises(by.UsageFault, match="above 0"):
        by.run([{"text": "a"}], model="m", prompt="{text}", max_cost_usd=-1)
    assert not books.files


@pytest.mark.parametrize(("bound", "status"), [("0.49", 3), ("0.5", 0)])
def test_an_estimate_above_the_bound_says_both_and_creates_nothing(
    bound: str, status: int, capsys: pytest.CaptureFixture[str], books: Books
) -> None:
    assert main(["run", table(), *PROMPT, "--max-cost", bound]) == status
    told = " ".join(capsys.readouterr().err.split())
    said = "The estimate of $0.5000 is above --max-cost, $0.4900, and nothing was sent. Raise --max-cost"
    assert (said in told) is (status == 3)
    assert len(books.paid) == (status == 0)


def test_a_batch_that_was_too_dear_is_not_to_be_made_once_more(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", requests(), "--no-estimate", "--max-cost", "1", "--quiet"]) == 0
    error = {"message": "The batch is estimated at $2.", "code": "max_cost_exceeded"}
    books.batches[books.paid[0]] |= {"status": "failed", "errors": {"data": [error]}}
    assert main(["run", "in.jsonl", "--no-estimate", "--max-cost", "1"]) == 3
    told = capsys.readouterr().err
    assert "Raise --max-cost, or send less." in told
    assert "--new" not in told


BAD = {"lines": ROWS, "bad_lines": 2, "estimated_usd": 0.5, "estimated_input_tokens": 9, "estimated_output_tokens": 8}


def test_an_estimate_says_what_becomes_of_bad_lines(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    books.preflight = {**BAD, "would_run": True}
    assert main(["estimate", requests(), "--on-invalid", "skip"]) == 0
    said = capsys.readouterr().out
    assert said == "Estimate: 5 requests, 9 tokens in, 8 out, at most about $0.5000. 2 bad lines left out.\n"
    books.preflight = {**BAD, "bad_lines": 1, "would_run": False, "lines_one_by_one": 3}
    books.faults = [{"line": 3, "message": "no url", "code": "missing"}]
    assert main(["estimate", "in.jsonl"]) == 3
    told = capsys.readouterr()
    assert "Estimate: 6 requests" in told.out
    assert "3 requests too few for a batch there: one by one, at the full price." in told.out
    assert "1 bad line: the batch is refused as it is. --on-invalid skip leaves bad lines out." in told.out
    assert "line 3: no url (missing)" in told.err
    assert main(["estimate", "in.jsonl", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["bad_lines"] == 1
    assert main(["submit", "in.jsonl"]) == 3
    told = capsys.readouterr()
    assert (told.out, books.paid) == ("", [])
    assert "The input is refused, and nothing was sent. line 3: no url (missing)" in told.err


def test_an_estimate_and_a_submit_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", table(), *PROMPT]) == 0
    said = capsys.readouterr().out.strip()
    assert said.startswith("Estimate: 7 requests")
    assert main(["submit", "in.csv", *PROMPT]) == 0
    assert said in capsys.readouterr().err.splitlines()


def test_one_request_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", requests(rows=1), "--out", "a.jsonl"]) == 0
    told = capsys.readouterr().err
    assert "Estimate: 1 request, " in told
    assert told.splitlines()[-1].startswith("1 of 1 row is answered: a.jsonl.")


def test_estimates_are_marked_and_stand_in_no_list_unless_they_are_asked_for(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", requests(), "--quiet"]) == 0
    capsys.readouterr()
    assert main(["list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["batch", books.paid[0]]
    assert main(["list", "--limit", "1", "--json"]) == 0
    assert [each["batch_id"] for each in json.loads(capsys.readouterr().out)] == books.paid
    assert main(["list", "--all", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["batch_id"] == books.paid[0], each["dry_run"]) for each in listed] == [(True, False), (False, True)]
    assert main(["status", listed[1]["batch_id"]]) == 0
    assert f"{listed[1]['batch_id']}: an estimate, completed. Estimate: 7 requests" in capsys.readouterr().out
    assert main(["status"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_estimates_do_not_hide_a_batch_from_another_machine(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["submit", requests(), "--quiet"]) == 0
    for number in range(LOOKED_BACK + 1):
        books.batches[f"dry-{number}"] = {
            **books.batches[books.paid[0]],
            "id": f"dry-{number}",
            "dry_run": True,
            "metadata": None,
        }
    monkeypatch.setenv("BATCHYARD_HOME", "other")
    assert main(["submit", "in.jsonl", "--quiet"]) == 0
    assert len(books.paid) == 1


def test_a_status_is_said_once(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    books.failing = {"r2"}
    assert main(["run", requests(), "--quiet", "--out", "out/"]) == 1
    assert main(["status", books.paid[0]]) == 0
    assert capsys.readouterr().out == f"{books.paid[0]}: completed, 7 of 7 rows done, 1 failed, $0.2500\n"


@pytest.mark.parametrize(
    ("word", "status", "said"),
    [
        ("cancel", "completed", "has ended before; there is nothing to cancel."),
        ("resume", "completed", "has ended; there is nothing to resume."),
        ("resume", "in_progress", "does not wait; there is nothing to resume."),
        ("cancel", "in_progress", None),
        ("resume", "paused", None),
    ],
)
def test_what_is_not_to_be_done_is_said(
    word: str, status: str, said: str | None, books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", requests(), "--quiet"]) == 0
    paused = {"status": "in_progress", "paused": "it has no money"} if status == "paused" else {"status": status}
    books.batches[books.paid[0]] |= paused
    assert main([word, books.paid[0]]) == 0
    assert capsys.readouterr().err == ("" if said is None else f"{books.paid[0]} {said}\n")


@pytest.mark.parametrize("is_table", [True, False])
def test_a_table_for_a_provider_of_another_url_is_told_of_the_endpoint(
    books: Books, capsys: pytest.CaptureFixture[str], *, is_table: bool
) -> None:
    books.preflight = {"lines": ROWS, "bad_lines": ROWS, "would_run": False}
    books.faults = [{"line": 1, "code": "no_provider", "message": "The provider 'bedrock' does not take …"}]
    assert main(["run", *([table(), *PROMPT] if is_table else [requests()]), "--provider", "bedrock"]) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "nothing was sent. line 1: The provider 'bedrock' does not take … (no_provider)" in told
    assert ("--endpoint is the url: /v1/messages for Anthropic, and /model/MODEL/converse" in told) is is_table
    assert not books.paid


def test_lines_with_the_same_fault_are_told_together(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    books.preflight = {"lines": ROWS, "bad_lines": ROWS, "would_run": False}
    first = {"code": "no_provider", "message": "No provider takes the model 'x': openai takes gpt-*."}
    short = {"code": "no_provider", "message": "No provider takes the model 'x'."}
    books.faults = [{"line": 1, **first}, *({"line": line, **short} for line in range(2, ROWS + 1))]
    assert main(["run", requests()]) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert (
        "line 1: No provider takes the model 'x': openai takes gpt-*. (no_provider) lines 2, 3, 4 and 3 more: No"
        in told
    )
    assert told.count("(no_provider)") == 2
    assert "Estimate: there is no good request. 7 bad lines: the batch is refused as it is." in told


def test_a_batch_that_waits_is_told_with_the_command_that_resumes_it(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", requests(), "--quiet"]) == 0
    batch_id, told = books.paid[0], "POST /v1/batches/{}/resume tries at once; cancel the batch to end it."
    books.batches[batch_id] |= {"status": "in_progress", "paused": told.format(batch_id)}
    capsys.readouterr()
    assert main(["resume", batch_id]) == 0
    wanted = f"waits: batchyard resume {batch_id} tries at once; cancel the batch to end it."
    assert wanted in capsys.readouterr().out
    assert main(["resume", batch_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["paused"] == told.format(batch_id), "machines get the API's words"


def test_a_login_reads_its_key_from_a_pipe_and_warns_of_nothing(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BATCHYARD_KEY")
    url = f"{books.address}/v1"
    made = command("login", "--url", url, input=f"{KEY}\n")
    assert (made.returncode, made.stdout) == (0, "")
    assert "Warning" not in made.stderr
    assert command("list", "--url", url).returncode == 0
    for given in ({"stdin": subprocess.DEVNULL}, {"input": "\n"}):
        empty = command("login", "--url", url, **given)
        assert empty.returncode == 2
        assert "Key: nothing came by standard input. Name it with --key, or send it as a line." in empty.stderr


def test_a_pipe_that_nobody_reads_stops_no_work() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        made = command("run", table(), *PROMPT, "--out", "a.csv", stderr=writer)
    finally:
        os.close(writer)
    assert (made.returncode, made.stdout) == (0, "")
    assert Path("a.csv").read_text().count("answer to row-") == ROWS
    assert command("fetch", "batch_none", stderr=subprocess.DEVNULL).returncode == 3


@pytest.mark.parametrize("closed", ["2>&-", ">&-"])
def test_a_stream_that_is_closed_stops_no_work_either(closed: str) -> None:
    shell = f'"$0" -m batchyard_client run "$1" --model m --prompt "Say {{text}}" --out a.csv {closed}'
    environment = {**os.environ, "PYTHONPATH": str(Path(by.__file__).parents[1])}
    made = subprocess.run(  # noqa: S603 - our own program
        ["/bin/sh", "-c", shell, sys.executable, table()], env=environment, capture_output=True, timeout=60, check=False
    )
    assert (made.returncode, made.stdout) == (0, b"")
    assert Path("a.csv").exists()


def test_a_full_disk_is_told_with_its_place(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", requests(), "--quiet"]) == 0
    with Path("/dev/full").open("w") as full:
        made = command("list", stdout=full)
    assert made.returncode == 2
    assert made.stderr == "batchyard: standard output: No space left on device.\n"
    capsys.readouterr()
    assert main(["report", books.paid[0], "--html", "--out", "/dev/full", "--quiet"]) == 2
    assert capsys.readouterr().err == "batchyard: /dev/full: No space left on device.\n"


def test_a_home_that_takes_no_record_is_named(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    requests()
    with room(10):
        assert main(["submit", "in.jsonl"]) == 4
    told = " ".join(capsys.readouterr().err.split())
    assert f"{Path('home/jobs').absolute()}/" in told
    assert "cannot be written: File too large. Make room, or name another folder with BATCHYARD_HOME" in told
    assert main(["submit", "in.jsonl", "--quiet"]) == 0
    assert len(books.paid) == 1


def test_the_recipe_that_is_not_known_here_is_asked_for(
    books: Books, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", table(), *PROMPT, "--quiet"]) == 0
    monkeypatch.setenv("BATCHYARD_HOME", "other")
    fetch = ["fetch", books.paid[0], "--input", "in.csv", "--prompt", "Say {text}", "--out", "a.csv"]
    assert main(fetch) == 2
    told = capsys.readouterr().err
    assert f"This machine did not send {books.paid[0]}, so name the whole recipe" in told
    assert main([*fetch, "--model", "m", "--quiet"]) == 0


def test_a_connection_that_fails_is_told_without_a_class_of_python(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--url", "http://127.0.0.1:9/v1"]) == 4
    assert "No whole answer from 127.0.0.1:9: the connection is refused." in capsys.readouterr().err


def test_open_shows_the_console_or_the_page_of_a_batch_in_it(
    books: Books, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)
    assert main(["open"]) == 0
    assert main(["open", "batch_1", "--console", "--json"]) == 0
    assert opened == [f"{books.address}/console", f"{books.address}/console#/batches/batch_1"]
    assert capsys.readouterr().out == f'{opened[0]}\n{{"console_url":"{opened[1]}"}}\n'
    assert main(["submit", requests(), "--quiet"]) == 0
    assert main(["open", books.paid[0], "--quiet"]) == 0
    assert opened[2] == str(Path(f"{books.paid[0]}-results").absolute())


def test_two_batches_in_one_folder_do_not_share_an_unfinished_file(books: Books) -> None:
    assert main(["submit", requests("one.jsonl"), "--quiet"]) == 0
    assert main(["submit", requests("two.jsonl", rows=3), "--quiet"]) == 0
    Path(".all.jsonl.part").write_text("of another command\n")
    for batch_id, rows in zip(books.paid, (ROWS, 3), strict=True):
        assert main(["fetch", batch_id, "--out", "all.jsonl", "--quiet"]) == 0
        assert len(Path("all.jsonl").read_bytes().splitlines()) == rows
    assert Path(".all.jsonl.part").read_text() == "of another command\n"


def test_a_table_that_changes_is_told_as_an_error_of_the_front(books: Books) -> None:
    answers = by.submit(table(), model="m", prompt="Say {text}").results()
    table(rows=ROWS + 1)
    with pytest.raises(by.FrontError, match="has changed since it was first read"):
        list(answers)
    assert len(books.paid) == 1


def test_of_bad_lines_that_were_left_out_no_retry_is_promised(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", requests(), "--on-invalid", "skip", "--quiet"]) == 0
    books.failing = {"r2"}
    assert main(["watch", books.paid[0], "--quiet"]) == 1
    batch = books.batches[books.paid[0]]
    error = {"code": "invalid_json_line", "message": "no JSON", "line": 8}
    books.contents[batch["error_file_id"]] += (
        json.dumps({"custom_id": None, "response": None, "error": error}).encode() + b"\n"
    )
    books.reports[books.paid[0]] = {}
    assert main(["fetch", books.paid[0], "--out", "out/"]) == 1
    assert capsys.readouterr().err.splitlines()[-2:] == [
        f"To send what failed again (1 row): batchyard retry {books.paid[0]}",
        "1 bad line left out, as errors.jsonl says: mend the input to send them.",
    ]
