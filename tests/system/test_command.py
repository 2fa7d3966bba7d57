"""The command `batchyard` against a deployed stack: parts go to S3, batches to the functions, and the provider is paid once."""

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.processes import ROOT, environment
from tests.system.running_stack import RunningStack, jsonl, request

ROWS = 300


def command(stack: RunningStack, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    named = {"BATCHYARD_URL": stack.doors["base_url"], "BATCHYARD_KEY": stack.doors["api_key"]}
    settings = {**environment(), **named, "BATCHYARD_HOME": str(folder / "home")}
    settings["PYTHONPATH"] = str(ROOT / "layers/client")
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "batchyard_client", *arguments], cwd=folder, env=settings, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def done(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, said = process.communicate(timeout=120)
    return process.returncode, out, said


def paid_lines(stack: RunningStack, batch_id: str) -> int:
    return sum(int(each["request_counts"]["total"]) for each in stack.provider_batches(batch_id))


def test_a_table_of_rows_becomes_a_table_of_answers_although_the_command_is_killed(
    stack: RunningStack, tmp_path: Path
) -> None:
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "text"), *((number, f"text {number}") for number in range(ROWS))])
    run = ("run", "in.csv", "--model", "gpt-4.1-mini", "--prompt", "Say {text}", "--out", "out.csv")
    for seconds in (0.4, 1.0, 2.0, 3.0):
        process = command(stack, tmp_path, *run)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        done(process)
    status, out, said = done(command(stack, tmp_path, *run, "--json"))
    assert status == 0, said
    told: dict[str, Any] = json.loads(out)
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [str(number) for number in range(ROWS)]
    assert all(row["answer"] for row in rows)
    assert sum(float(row["cost_usd"]) for row in rows) == pytest.approx(told["usd"], rel=0.001)
    assert paid_lines(stack, told["batch_id"]) == ROWS
    made = done(command(stack, tmp_path, "list", "--json"))[1]
    real = [each for each in json.loads(made) if each["rows"] == ROWS and not each["dry_run"]]
    assert [each["batch_id"] for each in real] == [told["batch_id"]]
    assert done(command(stack, tmp_path, "report", told["batch_id"], "--html", "--out", "page.html"))[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert "200 of 300 lines" in page
    assert "Say text 285" in page  # a request beside its answer, from the end of the input


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "plain"])
def test_a_file_in_parts_arrives_whole(stack: RunningStack, tmp_path: Path, *, packed: bool) -> None:
    rows = [request(number, messages=[{"role": "user", "content": f"{number}" * 40_000}]) for number in range(100)]
    (tmp_path / "big.jsonl").write_bytes(jsonl(rows))
    assert (tmp_path / "big.jsonl").stat().st_size > 4_500_000
    options = ("--pack" if packed else "--no-pack", "--no-estimate", "--out", "all.jsonl")
    status, _, said = done(command(stack, tmp_path, "run", "big.jsonl", *options))
    assert status == 0, said
    found = [json.loads(line)["custom_id"] for line in (tmp_path / "all.jsonl").read_bytes().splitlines()]
    assert found == [row["custom_id"] for row in rows]


@pytest.fixture
def refusing(stack: RunningStack) -> Iterator[str]:
    """Have the provider refuse one request, and return its id."""
    scenario = stack.doors["provider_url"].removesuffix("/v1") + "/_emulator/scenario"
    refused = {"custom_id": "request-907", "do": {"status": 400, "code": "content_policy_violation"}}
    httpx.post(scenario, json={"lines": [refused]}).raise_for_status()
    yield "request-907"
    httpx.post(scenario, json={"lines": []}).raise_for_status()


def test_what_failed_is_sent_again_and_nothing_else(stack: RunningStack, tmp_path: Path, refusing: str) -> None:
    rows = [request(number) for number in range(900, 920)]
    (tmp_path / "in.jsonl").write_bytes(jsonl(rows))
    status, out, said = done(command(stack, tmp_path, "run", "in.jsonl", "--out", "first/", "--json"))
    assert (status, json.loads(out)["failed"]) == (1, 1), said
    first = json.loads(out)["batch_id"]
    assert f"To send what failed again: batchyard retry {first}" in said
    retries = [done(command(stack, tmp_path, "retry", first))[1].strip() for _ in range(2)]
    assert retries[0] == retries[1] != first
    status, out, said = done(command(stack, tmp_path, "fetch", retries[0], "--out", "all.jsonl", "--json"))
    assert json.loads(out)["rows"] == len(rows), said
    assert paid_lines(stack, retries[0]) == 1
    found = [json.loads(line)["custom_id"] for line in (tmp_path / "all.jsonl").read_bytes().splitlines()]
    assert found == [row["custom_id"] for row in rows]
    assert refusing in found
    assert done(command(stack, tmp_path, "retry", first))[1].strip() == retries[0]
