"""The emulator as a program: its ready line, its keys, and how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.emulator.faults import BatchFault, CallFault, LineFault, Messages, Scenario
from tests.integration.local.emulator.running import ROOT, Emulator, chat_line, jsonl, started

COMMAND = [sys.executable, "-m", "local.emulator"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_even_while_an_answer_stalls(number: signal.Signals, tmp_path: Path) -> None:
    with started(env={**os.environ, "TMPDIR": str(tmp_path)}) as emulator:
        emulator.play(calls=[{"operation": "listBatches", "do": {"connection": "stall"}}])
        emulator.submit(100)
        with pytest.raises(requests.ReadTimeout):
            requests.get(emulator.url + "/batches", timeout=0.2)
        assert len(list(tmp_path.iterdir())) == 1
        emulator.process.send_signal(number)
        assert emulator.process.wait(30) == 0
    assert list(tmp_path.iterdir()) == []


def test_it_ends_when_the_process_that_started_it_is_gone() -> None:
    script = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True)"
    command = [sys.executable, "-c", script + "; import time; time.sleep(60)", *COMMAND]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as parent:  # noqa: S603 # our own
        assert parent.stdout is not None
        lines = sorted((parent.stdout.readline(), parent.stdout.readline()), key=len)
        url = json.loads(lines[1])["provider_url"]
        assert requests.get(url + "/batches", headers={"Authorization": "Bearer x"}, timeout=5).ok
        parent.kill()
    assert ends(int(lines[0]))


def finished(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [*COMMAND, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 # ours


def ends(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_port_that_is_taken_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = finished("--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert re.fullmatch(r"Port \d+ of 127\.0\.0\.1 cannot be used: Address already in use\.\n", done.stderr)


def test_a_number_that_is_no_port_is_refused() -> None:
    done = finished("--port", "99999")
    assert (done.returncode, "'99999' is no port" in done.stderr) == (2, True)


def test_any_key_opens_it_unless_one_is_given() -> None:
    with started() as emulator:
        url = emulator.url + "/batches"
        assert requests.get(url, headers={"Authorization": "Bearer anything"}, timeout=5).ok
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic eDp5"}):
            refused = requests.get(url, headers=headers, timeout=5)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, None)


def test_a_given_key_is_the_only_one() -> None:
    with started(env={**os.environ, "PROVIDER_EMULATOR_API_KEY": "right"}) as emulator:
        assert emulator.api_key == "right"
        assert emulator.call("GET", "/batches").ok
        refused = requests.get(emulator.url + "/batches", headers={"Authorization": "Bearer wrong"}, timeout=5)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


def test_the_key_can_be_rotated_while_it_runs() -> None:
    with started("--api-key", "old") as emulator:
        emulator.play(api_key="new")
        assert emulator.call("GET", "/batches").status_code == 401
        assert requests.get(emulator.url + "/batches", headers={"Authorization": "Bearer new"}, timeout=5).ok
        assert "new" not in emulator.admin("/scenario").values()


def test_files_stay_in_a_directory_that_is_given(tmp_path: Path) -> None:
    with started("--data", str(tmp_path / "kept"), "--seconds-per-batch", "0.1") as emulator:
        content = jsonl([chat_line("a")])
        file_id = emulator.upload(content)["id"]
    assert (tmp_path / "kept" / file_id).read_bytes() == content


def test_a_scenario_file_is_played_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text('{"calls": [{"operation": "listBatches", "nth": 1, "do": {"status": 503}}]}')
    with started("--scenario", str(path)) as emulator:
        assert [emulator.call("GET", "/batches").status_code for _ in range(2)] == [503, 200]


def test_a_misspelt_scenario_file_ends_it_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text('{"cals": []}')
    ended = finished("--scenario", str(path))
    assert ended.returncode == 2
    assert "cals" in ended.stderr
    assert ended.stdout == ""


def test_help_shows_every_member_a_scenario_may_have() -> None:
    text = finished("--help").stdout
    for rule in (Scenario, CallFault, BatchFault, LineFault, Messages):
        missing = [name for name in rule.__struct_fields__ if name not in text]
        assert missing == [], rule.__name__


@pytest.mark.parametrize(
    "path", ["/v1/files", "/v1/batches", "/v1/chat/completions", "/_emulator/calls", "/_emulator/ledger"]
)
@pytest.mark.parametrize(
    "page", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}], ids=str
)
def test_a_web_page_of_another_place_is_refused(path: str, page: dict[str, str], own: Emulator) -> None:
    url = own.url.removesuffix("/v1") + path
    for method in ("GET", "POST", "OPTIONS"):
        answer = requests.request(method, url, headers={"Authorization": f"Bearer {own.api_key}", **page}, timeout=5)
        assert answer.status_code == 403
        assert "another host" in answer.json()["error"]["message"]
        assert "access-control-allow-origin" not in answer.headers


@pytest.fixture(scope="module")
def own() -> Iterator[Emulator]:
    with started() as emulator:
        yield emulator
