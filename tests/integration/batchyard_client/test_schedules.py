"""`batchyard schedule …` before the API itself, whose services are of memory."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from batchyard import services
from batchyard.api import api_keys
from batchyard.schedules.trigger import trigger
from batchyard_client.__main__ import main
from tests.fakes.services import MemoryServices
from tests.unit.functions.gateway import call

CRON = ["--schedule", "cron(0 2 * * ? *)", "--timezone", "Europe/Berlin", "--endpoint", "/v1/chat/completions"]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MemoryServices]:
    """Serve the API on loopback, and let the functions run that it invokes."""
    made = MemoryServices()
    made.bucket.put("inbox/default/daily.jsonl", b'{"custom_id": "1"}\n')
    key = api_keys.create(made.api_key_store, "default")
    monkeypatch.setattr(services, "current", lambda: made)

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url, size = urlsplit(self.path), int(self.headers.get("content-length") or 0)
            headers = {name.lower().replace("-", "_"): value for name, value in self.headers.items()}
            text = self.rfile.read(size).decode() or None
            answer = call(self.command, url.path, text, query=url.query, **headers)
            while made.trigger_function.invoked:
                trigger(made, made.trigger_function.invoked.pop(0))
            self.send_response(answer.status)
            data = json.dumps(answer.json).encode()
            for name, value in {"content-type": "application/json", "content-length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET  # noqa: N815 - http.server names them

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("BATCHYARD_HOME", str(tmp_path))
    monkeypatch.setenv("BATCHYARD_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("BATCHYARD_KEY", key)
    yield made
    server.shutdown()
    server.server_close()


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    capsys.readouterr()
    assert main(["schedule", *words]) == status, capsys.readouterr().err
    return capsys.readouterr().out


def test_a_schedule_is_made_shown_listed_run_and_deleted(
    made: MemoryServices, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--max-cost", "5", "--metadata", "team=support", "--hours", "00:00-23:59", "--overlap", "queue"]
    told = said(capsys, "create", "nightly", "inbox/default/daily.jsonl", *CRON, *options)
    schedule_id = told.partition(":")[0]
    assert told.splitlines() == [
        f"{schedule_id}: nightly, cron(0 2 * * ? *) (Europe/Berlin) of inbox/default/daily.jsonl",
        "  next: 2026-09-22 00:00 UTC; last: none yet",
    ]
    (kept,) = made.schedule_store.known.values()
    assert (kept.overlap, kept.hours, json.loads(kept.members)["max_cost_usd"]) == ("queue", "00:00-23:59", "5")
    batch_id = said(capsys, "run", schedule_id).strip()
    assert [*made.batch_store.batches] == [batch_id]
    assert batch_id in said(capsys, "show", schedule_id)
    shown = json.loads(said(capsys, "show", schedule_id, "--json"))
    assert (shown["last_firing"]["batch_id"], shown["metadata"]) == (batch_id, {"team": "support"})
    listed = said(capsys, "list").splitlines()
    assert listed[0].split() == ["schedule", "name", "fires", "next", "(UTC)", "last"]
    assert (schedule_id in listed[1], batch_id in listed[1], len(listed)) == (True, True, 2)
    assert said(capsys, "batches", schedule_id).splitlines()[1].startswith(batch_id)
    assert [each["batch_id"] for each in json.loads(said(capsys, "batches", schedule_id, "--json"))] == [batch_id]
    for _ in range(2):
        said(capsys, "delete", schedule_id)
    assert json.loads(said(capsys, "list", "--json")) == []


def test_a_schedule_is_made_once_and_goes_by_its_name(made: MemoryServices, capsys: pytest.CaptureFixture[str]) -> None:
    create = ["create", "nightly", "inbox/default/daily.jsonl", *CRON]
    schedule_id = said(capsys, *create, "-q").strip()
    assert [*made.schedule_store.known] == [schedule_id]
    assert json.loads(said(capsys, *create, "-q", "--json"))["id"] == schedule_id
    assert main(["schedule", *create, "--hours", "01:00-05:00"]) == 3
    assert schedule_id in " ".join(capsys.readouterr().err.split())
    ids = []
    for named in ("nightly", schedule_id):
        ids.append(said(capsys, "run", named).strip())
        made.batch_store.batches[ids[-1]] = replace(made.batch_store.batches[ids[-1]], status="failed")
    for command in ("show", "batches"):
        assert said(capsys, command, "nightly") == said(capsys, command, schedule_id)
    assert main(["schedule", "show", "daily"]) == 3
    assert "no schedule with the id or name 'daily'" in " ".join(capsys.readouterr().err.split())
    said(capsys, "delete", "nightly")
    assert json.loads(said(capsys, "list", "--json")) == []
    assert {each["batch_id"] for each in json.loads(said(capsys, "batches", schedule_id, "--json"))} == {*ids}
    assert said(capsys, *create, "-q").strip() != schedule_id


def test_a_schedule_shows_every_option_that_it_was_given(
    made: MemoryServices, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {
        "--overlap": "queue", "--hours": "22:00-06:00", "--min-lines": "2", "--min-bytes": "3", "--start-at-lines": "40",
        "--start-at-bytes": "50", "--max-wait": "600", "--window": "24h", "--metadata": "team=support",
        "--on-invalid": "skip", "--accept": '{"not_empty": true}', "--max-cost": "5", "--provider": "127.0.0.1",
    }  # fmt: skip
    said(
        capsys,
        "create",
        "tickets",
        "gather/default/tickets",
        *CRON,
        *(word for pair in options.items() for word in pair),
    )
    shown = said(capsys, "show", "tickets").splitlines()[2:]
    assert sorted(shown) == sorted([
        "  endpoint: /v1/chat/completions", "  completion_window: 24h", "  overlap: queue", "  hours: 22:00-06:00",
        "  min_lines: 2", "  min_bytes: 3", "  start_at_lines: 40", "  start_at_bytes: 50", "  max_wait: 600",
        '  metadata: {"team":"support"}', "  on_invalid: skip", '  accept: {"not_empty":true}', "  max_cost_usd: 5.0",
        "  provider: 127.0.0.1", "  made: 2026-09-21 14:13 UTC",
    ])  # fmt: skip
    (kept,) = made.schedule_store.known.values()
    assert kept.input_prefix == "gather/default/tickets/"


def test_a_schedule_is_changed_by_what_is_named(made: MemoryServices, capsys: pytest.CaptureFixture[str]) -> None:
    create = [
        "create",
        "nightly",
        "inbox/default/daily.jsonl",
        *CRON,
        "--window",
        "24h",
        "--hours",
        "01:00-05:00",
        "--max-cost",
        "5",
    ]
    schedule_id = said(capsys, *create, "-q").strip()
    options = [
        "--name",
        "weekly",
        "--input",
        "gather/default/tickets",
        "--min-lines",
        "5",
        "--unset",
        "hours",
        "--unset",
        "max-cost-usd",
    ]
    told = said(capsys, "change", "nightly", "--schedule", "rate(7 days)", "--metadata", "a=b", *options)
    assert told.startswith(f"{schedule_id}: weekly, rate(7 days) (Europe/Berlin) of gather/default/tickets/\n")
    shown = json.loads(said(capsys, "show", "weekly", "--json"))
    assert (shown["min_lines"], shown["hours"], shown["metadata"], shown["completion_window"]) == (
        5,
        None,
        {"a": "b"},
        "24h",
    )
    assert ("max_cost_usd" in shown, shown["endpoint"]) == (False, "/v1/chat/completions")
    assert said(capsys, "change", "weekly", "--overlap", "queue", "-q").strip() == schedule_id
    assert main(["schedule", "change", "weekly"]) == 2
    assert "Name what is to change" in capsys.readouterr().err
    for option, member in (
        ("--hours=02:00-03:00", "hours"),
        ("--max-cost=7", "max-cost-usd"),
        ("--window=7d", "completion-window"),
    ):
        assert main(["schedule", "change", "weekly", option, "--unset", member]) == 2
        assert f"--unset {member.replace('-', '_')} is named beside a value" in capsys.readouterr().err
    assert json.loads(said(capsys, "show", "weekly", "--json"))["hours"] is None
    assert main(["schedule", "change", "weekly", "--unset", "endpoint"]) == 3
    assert "endpoint" in capsys.readouterr().err
    assert [*made.schedule_clock.times.values()] == [("rate(7 days)", "Europe/Berlin")]


def test_a_folder_without_its_slash_is_a_folder_only_where_nothing_else_can_be_meant(
    made: MemoryServices, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schedule", "create", "x", "gather/default/tickets/a.jsonl", *CRON]) == 3
    assert '{"prefix": "gather/default/tickets/"}' in capsys.readouterr().err
    assert made.schedule_store.known == {}


def test_each_option_of_its_batches_is_kept(made: MemoryServices, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--provider", "127.0.0.1", "--on-invalid", "skip", "--accept", '{"not_empty": true}', "--window", "24h"]
    said(capsys, "create", "nightly", "inbox/default/daily.jsonl", *CRON, *options)
    (kept,) = made.schedule_store.known.values()
    members = json.loads(kept.members)
    assert members["provider"] == "127.0.0.1"
    assert members["on_invalid"] == "skip"
    assert members["accept"]


def test_a_run_that_waits_or_makes_nothing_says_why(made: MemoryServices, capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "create", "folder", "gather/default/tickets/", *CRON, "--min-lines", "3")
    schedule_id = told.partition(":")[0]
    assert said(capsys, "run", schedule_id, status=1) == ""
    assert (
        json.loads(said(capsys, "run", schedule_id, "--json", status=1))["reason"]
        == "no new file is in gather/default/tickets/"
    )
    assert "no batch: no new file" in said(capsys, "list")
    assert made.batch_store.batches == {}


def test_a_run_outside_of_the_hours_is_no_failure_but_waits(
    made: MemoryServices, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "create", "night", "gather/default/tickets/", *CRON, "--hours", "01:00-05:00")
    made.bucket.put("gather/default/tickets/a.jsonl", b"{}")
    assert main(["schedule", "run", "night"]) == 4
    told = capsys.readouterr()
    assert "The firing waits, and its batch is made later: it is not yet 01:00-05:00 in Europe/Berlin." in told.err
    assert told.out == ""


def test_what_the_service_refuses_ends_the_command_with_its_words(
    made: MemoryServices, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ["create", "x", "inbox/other/a.jsonl", *CRON]
    assert main(["schedule", *wrong]) == 3
    assert "'input.key' must be the key of an object below inbox/default/" in capsys.readouterr().err
    assert main(["schedule", "show", "sched_1"]) == 3
    assert main(["schedule", "create", "x", "inbox/default/a.jsonl"]) == 2
    assert made.schedule_store.known == {}
