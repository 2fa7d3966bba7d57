"""`make run` and `make up` that are stopped, killed, or lose a process: how they end, and what they leave."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from local.stack.clients import Clients
from tests.system.processes import (
    ROOT,
    admin,
    alive,
    descendants,
    environment,
    eventually,
    ledger,
    local,
    own_provider,
    provider_process,
)
from tests.system.running_stack import jsonl, request
from tests.system.runs import SLOW, child_of, earlier_results, finished, folder_of, waiting


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_takes_everything_with_it_and_says_nothing_of_the_emulators_money(
    source: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with waiting(source, tmp_path) as (process, children, said):
        assert len(children) > 3
        process.send_signal(number)
        assert process.wait(20) == status
        assert alive(children) == set()
        assert not (folder_of(process.pid) / "scratch").exists()
    assert "pays" not in said.read_text()
    assert "Cancelling" not in said.read_text()


def test_a_stopped_run_fetches_what_the_users_own_provider_has_finished_and_leaves_nothing_there(
    source: Path, tmp_path: Path
) -> None:
    with own_provider("--seconds-per-batch", "40") as own, waiting(source, tmp_path, {**SLOW, **own}) as run:
        process, children, said = run
        eventually(lambda: any(batch["request_counts"]["completed"] for batch in ledger(own)))
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 130
        assert alive(children) == set()
        (batch,) = ledger(own)
        assert batch["status"] == "cancelled"
        headers = {"Authorization": f"Bearer {own['PROVIDER_API_KEY']}"}
        assert httpx.get(f"{own['PROVIDER_BASE_URL']}/files", headers=headers).json()["data"] == []
    output, errors = ((tmp_path / "out" / name).read_bytes().splitlines() for name in ("output.jsonl", "errors.jsonl"))
    assert (len(output), len(output) + len(errors)) == (batch["billed_requests"], 5)
    told = said.read_text()
    assert "The batch was cancelled; what was finished by then is kept." in told
    assert "No input and no result of it is left at the provider." in told
    assert "Running this input again sends, and pays for, all of its requests again." in told


def test_a_terminated_run_has_the_users_own_provider_cancel_and_waits_no_longer(source: Path, tmp_path: Path) -> None:
    out = earlier_results(tmp_path / "out")
    with own_provider("--seconds-per-batch", "600") as own, waiting(source, tmp_path, {**SLOW, **own}) as run:
        process, children, said = run
        made = eventually(lambda: ledger(own) or None)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        assert [batch["status"] for batch in ledger(own)] == ["cancelled"]
        assert alive(children) == set()
    told = said.read_text()
    assert f"The provider cancels {made[0]['id']}; what it has finished of them is paid." in told
    assert "Running this input again sends, and pays for, all of its requests again." in told
    assert f"What {out / 'latest'} shows is from an earlier run, batch_before." in told
    assert (out / "output.jsonl").read_text() == "from before"


def test_a_stopped_stack_cancels_each_batch_of_each_tenant_within_seconds_and_says_so_once(
    source: Path, tmp_path: Path
) -> None:
    with own_provider("--seconds-per-batch", "600") as own, (tmp_path / "said").open("w") as stderr:
        with local("up", settings=own, stderr=stderr) as process:
            assert process.stdout is not None
            doors, count = json.loads(process.stdout.readline()), 4
            s3 = Clients(doors["endpoint_url"]).s3
            for number in range(count):
                s3.upload_file(str(source), doors["bucket"], f"inbox/tenant-{number % 2}/{number}.jsonl")
            eventually(lambda: len(ledger(own)) == count)
            children = descendants(process.pid)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0  # `make bench BENCH=fleet` measures it on a quiet machine
        assert alive(children) == set()
        made = ledger(own)
    assert [batch["status"] for batch in made] == ["cancelled"] * count
    told = (tmp_path / "said").read_text()
    assert told.count("The provider cancels") == 1
    assert all(batch["id"] in told for batch in made)


def test_a_second_ctrl_c_takes_what_is_there_though_two_of_three_providers_do_not_answer(tmp_path: Path) -> None:
    source, out, slow = tmp_path / "mixed.jsonl", tmp_path / "out", ("--seconds-per-batch", "600")
    source.write_bytes(jsonl(request(number, model=f"model-{'abc'[number % 3]}") for number in range(6)))
    with own_provider() as answers, own_provider(*slow) as stalls, provider_process(*slow) as (process_of_dead, dead):
        described = {
            name: {"base_url": each["PROVIDER_BASE_URL"], "api_key": "k", "models": [f"model-{name[0]}"]}
            for name, each in (("answers", answers), ("both", stalls), ("closed", dead))
        }
        settings = {"PROVIDERS": json.dumps(described), "BATCHYARD_POLL_FLOOR_SECONDS": "2"}
        with waiting(source, tmp_path, settings) as (process, children, said):
            eventually(lambda: "1/3 shards" in said.read_text() and ledger(stalls) and ledger(dead))
            left = {"both": ledger(stalls)[0]["id"], "closed": ledger(dead)[0]["id"]}
            httpx.post(admin(stalls, "scenario"), json={"calls": [{"operation": "*", "do": {"connection": "stall"}}]})
            process_of_dead.kill()
            process.send_signal(signal.SIGINT)
            eventually(lambda: "Ctrl-C again takes what is there" in said.read_text())
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
            assert alive(children) == set()
    told = said.read_text()
    assert told.count("Hurrying") == 1
    assert all(f"{id_} at {name}" in told for name, id_ in left.items())
    answered, unanswered = (
        [json.loads(line) for line in (out / name).read_bytes().splitlines()]
        for name in ("output.jsonl", "errors.jsonl")
    )
    assert [line["custom_id"] for line in answered] == ["request-0", "request-3"]
    assert {line["custom_id"]: line["error"]["code"] for line in unanswered} == dict.fromkeys(
        (f"request-{number}" for number in (1, 2, 4, 5)), "outcome_unknown"
    )
    assert json.loads((out / "report.json").read_text())["outcomes_equal_lines"] is True
    assert len((out / "retry.jsonl").read_bytes().splitlines()) == 4


def test_a_run_that_is_killed_leaves_no_process_and_its_files_are_removed_by_the_next(
    source: Path, tmp_path: Path
) -> None:
    with waiting(source, tmp_path) as (process, children, _):
        process.kill()
        process.wait()
        assert eventually(lambda: not alive(children), 30)
        assert (folder_of(process.pid) / "scratch").exists()
    assert finished("run", "--input", str(source), "--out", str(tmp_path / "out"))[0] == 0
    assert not (folder_of(process.pid) / "scratch").exists()


def test_a_make_that_is_killed_takes_everything_with_it() -> None:
    command = ["make", "--silent", "up", f"PYTHON={sys.executable}"]
    with subprocess.Popen(  # noqa: S603 - our own Makefile
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    ) as make:
        assert make.stdout is not None
        assert "base_url" in make.stdout.readline()
        children = descendants(make.pid)
        make.kill()
        make.wait()
        assert eventually(lambda: not alive(children), 30)


@pytest.mark.parametrize(("module", "name"), [("local.engine", "engine"), ("local.emulator", "provider emulator")])
def test_a_process_that_crashes_ends_the_run_and_is_named_with_its_log(
    source: Path, tmp_path: Path, module: str, name: str
) -> None:
    with waiting(source, tmp_path) as (process, children, said):
        os.kill(eventually(lambda: child_of(module, process.pid)), signal.SIGKILL)
        assert process.wait(30) == 1
        assert alive(children) == set()
        told = re.search(rf"The {name} ended by itself \(killed by SIGKILL\)\. Its log: (.+)", said.read_text())
        assert told is not None
        assert Path(told[1]).exists()
        assert "Traceback" not in said.read_text()


def test_a_stopped_build_leaves_no_process(tmp_path: Path) -> None:
    """A layer whose packages take for ever, as on a slow network."""
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer" / "Makefile").write_text("build-OneLayer:\n\t@sleep 600\n")
    code = "import sys, pathlib; from local.stack.artifacts import zip_layer; folder = pathlib.Path(sys.argv[1]); "
    code += "zip_layer(folder / 'layer', 'OneLayer', folder)"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, env=environment()) as building:  # noqa: S603 - our own program
        eventually(lambda: len(descendants(building.pid)) >= 3)
        children = descendants(building.pid)
        building.kill()
        building.wait()
        assert eventually(lambda: not alive(children), 30)
