"""`make status` shows what each batch did, how fast, and for how long it still runs."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from local.errors import LocalError, UsageError
from local.run import status
from local.run.status import per_minute, plain, show_status

NOW = 1_790_000_000


def batch(batch_id: str = "batch_a", state: str = "in_progress", **members: Any) -> dict[str, Any]:
    counts = {"total": 1_200, "completed": 598, "failed": 2}
    return {"id": batch_id, "status": state, "request_counts": counts, "in_progress_at": NOW - 120, **members}


class Api(BaseHTTPRequestHandler):
    """Answers with what a test puts here."""

    answer: ClassVar[tuple[int, str]] = (200, "")
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["authorization"]))
        code, text = self.answer
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    monkeypatch.setattr(time, "time", lambda: float(NOW))
    Api.asked.clear()
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {"BATCHYARD_URL": f"http://127.0.0.1:{server.server_port}/v1/", "BATCHYARD_KEY": "by_1"}
        server.shutdown()
        thread.join()


def shown(
    host: dict[str, str], capsys: pytest.CaptureFixture[str], *batches: dict[str, Any], more: bool = False
) -> str:
    Api.answer = (200, json.dumps({"object": "list", "data": batches, "has_more": more}))
    show_status(host)
    return capsys.readouterr().out


def test_batches_are_shown_in_a_plain_table_where_nobody_watches(
    host: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    ended = {"completed_at": NOW - 60, "request_counts": {"total": 7, "completed": 7, "failed": 0}}
    assert shown(host, capsys, batch(), batch("batch_b", "completed", **ended)) == (
        "batch    status       done  failed  lines  per minute  time left\n"
        "batch_a  in_progress   598       2  1,200         300    0:02:00\n"
        "batch_b  completed       7       0      7           7\n"
    )
    assert Api.asked == [("/v1/batches?limit=100", "Bearer by_1")]


def test_an_estimate_does_not_look_like_a_batch_that_did_nothing(
    host: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {"total": 377, "completed": 0, "failed": 0}
    told = shown(host, capsys, batch("batch_b", "completed", completed_at=NOW, request_counts=counts, dry_run=True))
    assert told.splitlines()[1].split() == ["batch_b", "completed", "(estimate)", "0", "0", "377"]


def test_what_a_batch_waits_for_and_why_one_failed_is_told_below(
    host: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    waits = batch(paused="The provider has no room. Tried again in 5 minutes.")
    failed = batch("batch_b", "failed", failed_at=NOW, errors={"data": [{"message": "No such file."}]})
    lines = shown(host, capsys, waits, failed, more=True).splitlines()
    assert "in_progress (waits)" in lines[1]
    assert not lines[1].endswith("0:02:00")  # nobody knows for how long it waits
    assert lines[3:] == [
        "batch_a waits: The provider has no room. Tried again in 5 minutes.",
        "batch_b failed: No such file.",
        "These are the newest 100; there are more.",
    ]


def test_a_stack_without_batches_says_so(host: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(host, capsys) == "No batch was made yet.\n"


@pytest.mark.parametrize(
    ("members", "rate"),
    [
        ({}, 300),
        ({"in_progress_at": None}, None),
        ({"request_counts": {"total": 9, "completed": 0, "failed": 0}}, None),
        ({"in_progress_at": NOW}, 36_000),  # within its first second
        ({"in_progress_at": NOW + 5}, 36_000),  # by a clock of another machine
        ({"status": "cancelled", "cancelled_at": NOW - 60}, 600),
    ],
)
def test_the_rate_is_that_since_the_batch_began_to_run(members: dict[str, Any], rate: float | None) -> None:
    assert per_minute({**batch(), **members}, float(NOW)) == rate


def test_numbers_stand_at_the_right() -> None:
    head, row = plain([status.HEAD, ("b", "completed", "1", "0", "12,345,678", "", "")])
    assert head.index("lines") + len("lines") == len(row)


@pytest.mark.parametrize("name", ["BATCHYARD_URL", "BATCHYARD_KEY"])
def test_an_address_without_a_key_or_a_key_without_an_address_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="Set both"):
        show_status({name: "x"})


def test_where_no_stack_is_up_one_is_told_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "find_doors", list)
    with pytest.raises(LocalError, match=r"No stack of make up runs here\. Start one with make up"):
        show_status({})


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((401, '{"error": {"message": "Incorrect API key provided."}}'), "Incorrect API key provided"),
        ((404, "<html>"), "status 404, is none of this API"),
        ((404, "[]"), "status 404, is none of this API"),
        ((200, "{}"), "status 200, is none of this API"),
    ],
)
def test_an_answer_that_is_no_list_is_told_in_a_sentence(
    host: dict[str, str], answer: tuple[int, str], told: str
) -> None:
    Api.answer = answer
    with pytest.raises(LocalError, match=told) as caught:
        show_status(host)
    assert "by_1" not in str(caught.value)


def test_several_stacks_are_shown_one_after_the_other(
    host: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = {"base_url": host["BATCHYARD_URL"], "api_key": "by_1"}
    monkeypatch.setattr(status, "find_doors", lambda: [door, door])
    url = door["base_url"]
    assert shown({}, capsys) == f"{url}\nNo batch was made yet.\n\n{url}\nNo batch was made yet.\n"
