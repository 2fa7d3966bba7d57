"""The recipes of the pages against a deployed stack: the line for cron, the step for GitHub Actions, the notebook."""

import csv
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.system.processes import ROOT, environment
from tests.system.running_stack import RunningStack

PAGE = (ROOT / "docs/automation.md").read_text(encoding="utf-8")
NOTEBOOK = json.loads((ROOT / "docs/notebook.ipynb").read_text(encoding="utf-8"))
IN_COMPAT = {"pandas"}  # the tag of cells whose packages are not installed here; `make compat` runs all cells
ROWS = 20


def ran(stack: RunningStack, folder: Path, home: str, *command: str) -> str:
    """Run a command where `batchyard` is installed, with the address and the key of the stack; it must end well."""
    settings = {
        **environment(BATCHYARD_URL=stack.doors["base_url"], BATCHYARD_KEY=stack.doors["api_key"]),
        "BATCHYARD_HOME": str(folder / home),
        "PYTHONPATH": str(ROOT / "layers/client"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    done = subprocess.run(  # noqa: S603 - commands of our own pages
        command, cwd=folder, env=settings, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def crontab() -> str:
    """Return the command of the crontab, as cron gives it to the shell."""
    line: str
    (line,) = re.findall(r"^```crontab\n(?:\S+ ){5} (.+)\n```", PAGE, re.MULTILINE)
    return line.replace(r"\%", "%")


def step() -> str:
    """Return the script of the workflow's step."""
    (script,) = re.findall(r"^ +- id: answer\n +run: \|\n((?: {10}.*\n)+)", PAGE, re.MULTILINE)
    return textwrap.dedent(script)


def test_cron_and_then_a_workflow_on_another_machine_take_up_one_batch(stack: RunningStack, tmp_path: Path) -> None:
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "text"), *((number, f"review {number}") for number in range(ROWS))])
    command = crontab()
    assert "cd /data && " in command
    said = ran(stack, tmp_path, "home", "sh", "-c", command.replace("/data", str(tmp_path)))
    assert said == ""  # or cron would send a mail
    first: dict[str, Any] = json.loads((tmp_path / "last-run.json").read_text())
    answers = (tmp_path / "answers.csv").read_bytes()
    (tmp_path / "answers.csv").unlink()
    ran(stack, tmp_path, "runner", "bash", "-e", "-c", step())
    second = json.loads((tmp_path / "run.json").read_text())
    assert (first["batch_id"], first["rows"], first["failed"]) == (second["batch_id"], ROWS, 0)
    assert (tmp_path / "answers.csv").read_bytes() == answers
    assert sum(int(each["request_counts"]["total"]) for each in stack.provider_batches(first["batch_id"])) == ROWS


def test_the_notebook_runs_from_its_first_cell_to_the_answers(stack: RunningStack, tmp_path: Path) -> None:
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    kept = [cell for cell in cells if not IN_COMPAT & set(cell["metadata"].get("tags", ()))]
    assert len(kept) > len(cells) / 2
    script = "\n".join("".join(cell["source"]) for cell in kept)
    said = ran(stack, tmp_path, "home", sys.executable, "-c", script)
    table = pq.read_table(tmp_path / "answers.parquet")
    assert table.column("id").to_pylist() == ["1", "2", "3", "4", "5", "6"]
    assert all(table.column("answer").to_pylist())
    (made,) = set(re.findall(r"batch_\w{32}", said))
    assert sum(int(each["request_counts"]["total"]) for each in stack.provider_batches(made)) == table.num_rows
