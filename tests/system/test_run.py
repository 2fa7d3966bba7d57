"""`make run` and `make up` as processes: what they say, what they leave, and how they end."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from local.stack.clients import Clients
from local.stack.run_folder import RUNS
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

SLOW = {"BATCHYARD_POLL_FLOOR_SECONDS": "600"}  # a batch that will not end while a test looks


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "my requests +100%.jsonl"
    path.write_bytes(jsonl(request(number) for number in range(5)))
    return path


def finished(*arguments: str, **settings: str) -> tuple[int, str]:
    """Run a command to its end; return its exit status and what it said on standard error."""
    command = [sys.executable, "-m", "local", *arguments]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=environment(**settings), capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stderr


@contextmanager
def waiting(
    source: Path, tmp_path: Path, settings: Mapping[str, str] = SLOW
) -> Iterator[tuple[subprocess.Popen[str], set[int], Path]]:
    """Yield a run whose batch waits, the ids of all its processes, and what it says."""
    said = tmp_path / "said"
    with said.open("w") as stderr:
        process = local("run", "--input", str(source), "--out", str(tmp_path / "out"), settings=settings, stderr=stderr)
    with process:
        try:
            eventually(lambda: "in_progress" in said.read_text())
            yield process, descendants(process.pid), said
        finally:
            process.kill()


def test_a_run_ends_well_and_a_refused_one_after_it_touches_nothing_of_its_results(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("from before")
    status, said = finished("run", "--input", str(source), "--out", str(out))
    assert status == 0, said
    answered = [json.loads(line)["custom_id"] for line in (out / "output.jsonl").read_text().splitlines()]
    assert answered == [f"request-{number}" for number in range(5)]
    report = json.loads((out / "report.json").read_text())
    assert report["outcomes_equal_lines"] is True
    assert (out / "errors.jsonl").read_text() == ""
    assert (out / "notes.txt").read_text() == "from before"
    links = ["errors.jsonl", "latest", "output.jsonl", "report.json"]
    assert sorted(path.name for path in out.iterdir() if path.is_symlink()) == links

    source.write_bytes(b"not json\n" * 7)
    status, said = finished("run", "--input", str(source), "--out", str(out))
    assert status == 1
    assert f"What {out / 'latest'} shows is from an earlier run, {report['batch_id']}." in said
    assert json.loads((out / "report.json").read_text()) == report
    assert len((out / "output.jsonl").read_text().splitlines()) == 5


def test_a_refused_input_ends_with_its_report(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    source.write_bytes(b"not json\n" * 7)
    status, said = finished("run", "--input", str(source), "--out", str(out))
    assert status == 1
    assert "7 lines, the first are 1, 2, 3: " in said
    assert "Nothing was sent." in said
    assert "earlier run" not in said
    assert not (out / "output.jsonl").exists()
    listed = json.loads((out / "report.json").read_text())["errors"]["data"]
    assert [error["line"] for error in listed] == list(range(1, 8))


def test_an_input_in_the_place_of_a_result_is_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "errors.jsonl"
    source.write_bytes(jsonl([request(1)]))
    status, said = finished("run", "--input", str(source), "--out", str(tmp_path))
    assert (status, "would overwrite the input" in said) == (2, True)
    assert source.read_bytes() == jsonl([request(1)])


def test_a_provider_that_does_not_answer_ends_the_run_and_leaves_earlier_results(source: Path, tmp_path: Path) -> None:
    out = _earlier(tmp_path / "out")
    nowhere = {"PROVIDER_BASE_URL": "http://127.0.0.1:9/v1", "PROVIDER_API_KEY": "sk-1"}
    status, said = finished("run", "--input", str(source), "--out", str(out), **nowhere)
    assert status == 1
    assert said.splitlines() == [
        "Nothing answers at http://127.0.0.1:9/v1 (the connection is refused). Is it up? Nothing was sent.",
        f"What {out / 'latest'} shows is from an earlier run, batch_before.",
    ]
    assert (out / "output.jsonl").read_text() == "from before"


@pytest.mark.parametrize(
    ("arguments", "settings", "told"),
    [
        (("run", "--input", "nowhere.jsonl"), {}, "There is no file nowhere.jsonl"),
        (("run", "--input", "local"), {}, "local is not a file"),
        (("up",), {"BATCHYARD_MAX_ATTEMTPS": "1"}, "Did you mean BATCHYARD_MAX_ATTEMPTS?"),
        (("up",), {"BATCHYARD_MAX_ATTEMPTS": "many"}, "'many' is not a number"),
        (("up",), {"PROVIDER_API_KEY": "sk-1"}, "PROVIDER_BASE_URL is not"),
        (("up",), {"PROVIDER_BASE_URL": "http://127.0.0.1:1/v1"}, "PROVIDER_API_KEY is not"),
        (("run",), {"PROVIDER_BASE_URL": "nonsense", "PROVIDER_API_KEY": "x"}, "must be an http or https URL"),
        (("run", "--out", "README.md"), {}, "OUT must be a folder"),
    ],
)
def test_what_cannot_be_followed_is_said_plainly(
    arguments: tuple[str, ...], settings: dict[str, str], told: str, tmp_path: Path
) -> None:
    with (tmp_path / "said").open("w") as stderr, local(*arguments, settings=settings, stderr=stderr) as process:
        status = process.wait(120)
    said = (tmp_path / "said").read_text()
    assert (status, told in said) == (2, True), said
    assert said.count("\n") == 1
    assert not list(RUNS.glob(f"*-{process.pid}-*"))
    assert "Traceback" not in said


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_takes_everything_with_it_and_says_nothing_of_the_emulators_money(
    source: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with waiting(source, tmp_path) as (process, children, said):
        assert len(children) > 3
        process.send_signal(number)
        assert process.wait(20) == status
        assert alive(children) == set()
        assert not (_folder(process.pid) / "scratch").exists()
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
    out = _earlier(tmp_path / "out")
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
        assert (_folder(process.pid) / "scratch").exists()
    assert finished("run", "--input", str(source), "--out", str(tmp_path / "out"))[0] == 0
    assert not (_folder(process.pid) / "scratch").exists()


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
        os.kill(eventually(lambda: _child(module, process.pid)), signal.SIGKILL)
        assert process.wait(30) == 1
        assert alive(children) == set()
        told = re.search(rf"The {name} ended by itself \(killed by SIGKILL\)\. Its log: (.+)", said.read_text())
        assert told is not None
        assert Path(told[1]).exists()
        assert "Traceback" not in said.read_text()


def test_a_provider_of_the_users_own_is_used_in_place_of_the_emulator(source: Path, tmp_path: Path) -> None:
    with own_provider() as own:
        quick = {**own, "BATCHYARD_POLL_FLOOR_SECONDS": "1"}
        status, said = finished("run", "--input", str(source), "--out", str(tmp_path / "out"), **quick)
        assert status == 0, said
        assert [batch["billed_requests"] for batch in ledger(own)] == [5]
        assert said.index("Estimate: 5 requests, ") < said.index("in_progress")
        headers = {"Authorization": f"Bearer {own['PROVIDER_API_KEY']}"}
        assert httpx.get(f"{own['PROVIDER_BASE_URL']}/files", headers=headers).json()["data"] == []


def test_a_dry_run_and_a_limit_spend_nothing(source: Path, tmp_path: Path) -> None:
    with own_provider() as own:
        status, said = finished("run", "--input", str(source), "--out", str(tmp_path / "out"), **own, DRY_RUN="1")
        assert status == 0, said
        assert "The dry run is complete: nothing was sent." in said
        limit = {**own, "MAX_COST_USD": "0.000001"}
        status, said = finished("run", "--input", str(source), "--out", str(tmp_path / "out"), **limit)
        assert status == 1
        assert "above max_cost_usd of $0.000001" in said
        assert ledger(own) == []


def test_results_that_out_does_not_take_are_kept_with_all_files_at_the_provider(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with own_provider() as own, (tmp_path / "said").open("w") as stderr:
        quick = {**own, "BATCHYARD_POLL_FLOOR_SECONDS": "1"}
        with local("run", "--input", str(source), "--out", str(out), settings=quick, stderr=stderr) as process:
            eventually(lambda: (tmp_path / "said").read_text().count("Dropped") == 2)  # the first is the estimate
            out.rmdir()  # a disk that has gone takes no more than a full one
            assert process.wait(120) == 1
        headers = {"Authorization": f"Bearer {own['PROVIDER_API_KEY']}"}
        assert len(httpx.get(f"{own['PROVIDER_BASE_URL']}/files", headers=headers).json()["data"]) == 2
    told = (tmp_path / "said").read_text()
    kept = re.search(r"They are whole in (\S+)\. ", told)
    assert kept is not None, told
    assert len(Path(kept[1], "output.jsonl").read_text().splitlines()) == 5
    assert "Nothing was deleted at the provider; of the batch there are: file-" in told
    shutil.rmtree(kept[1])


def test_failed_lines_can_be_sent_again_from_a_file(source: Path, tmp_path: Path) -> None:
    refused = {"custom_id": "request-[13]", "do": {"status": 400, "code": "content_policy_violation"}}
    out = tmp_path / "out"
    with own_provider() as own:
        httpx.post(admin(own, "scenario"), json={"lines": [refused]})
        quick = {**own, "BATCHYARD_POLL_FLOOR_SECONDS": "1"}
        status, said = finished("run", "--input", str(source), "--out", str(out), **quick)
        assert status == 0, said
        lines = source.read_bytes().splitlines(keepends=True)
        assert (out / "retry.jsonl").read_bytes() == lines[1] + lines[3]
        assert f"make run INPUT={(out / 'retry.jsonl').resolve()} OUT={out}" in said


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


def test_two_runs_go_side_by_side(source: Path, tmp_path: Path) -> None:
    outs = [tmp_path / "one", tmp_path / "two"]
    runs = [local("run", "--input", str(source), "--out", str(out)) for out in outs]
    for run, out in zip(runs, outs, strict=True):
        with run:
            assert run.wait(120) == 0
        assert len((out / "output.jsonl").read_text().splitlines()) == 5


def test_no_secret_is_in_any_log(source: Path, tmp_path: Path) -> None:
    with own_provider() as own:
        settings = {**SLOW, **own, "PROVIDER_API_KEY": "sk-very-secret-0123456789"}
        with waiting(source, tmp_path, settings) as (process, _, said):
            logs = [path.read_text() for path in _folder(process.pid).glob("*.log")]
            assert logs
            assert not any("sk-very-secret" in text for text in [*logs, said.read_text()])


def _earlier(out: Path) -> Path:
    """Make the folder as an earlier run has left it."""
    (out / "batch_before").mkdir(parents=True)
    (out / "batch_before" / "output.jsonl").write_text("from before")
    (out / "latest").symlink_to("batch_before")
    (out / "output.jsonl").symlink_to("latest/output.jsonl")
    return out


def _folder(pid: int) -> Path:
    return next(RUNS.glob(f"*-{pid}-*"))


def _child(module: str, pid: int) -> int | None:
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - a fixed command
    rows = [row.split(maxsplit=2) for row in listed.splitlines()]
    found = (int(row[0]) for row in rows if row[1] == str(pid) and f"local.stack.child_process {module}" in row[2])
    return next(found, None)
