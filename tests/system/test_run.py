"""`make run` as a process: what it says, and what it leaves."""

import json
import re
import shutil
from pathlib import Path

import httpx
import pytest

from local.stack.run_folder import RUNS
from tests.system.processes import (
    admin,
    eventually,
    ledger,
    local,
    own_provider,
)
from tests.system.running_stack import jsonl, request
from tests.system.runs import SLOW, earlier_results, finished, folder_of, waiting


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
    out = earlier_results(tmp_path / "out")
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
            logs = [path.read_text() for path in folder_of(process.pid).glob("*.log")]
            assert logs
            assert not any("sk-very-secret" in text for text in [*logs, said.read_text()])
