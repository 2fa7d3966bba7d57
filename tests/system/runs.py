"""`make run` as a process: started, waited for, and what it leaves."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.stack.run_folder import RUNS
from tests.system.processes import (
    ROOT,
    descendants,
    environment,
    eventually,
    local,
)

SLOW = {"BATCHYARD_POLL_FLOOR_SECONDS": "600"}  # a batch that will not end while a test looks


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


def earlier_results(out: Path) -> Path:
    """Make the folder as an earlier run has left it."""
    (out / "batch_before").mkdir(parents=True)
    (out / "batch_before" / "output.jsonl").write_text("from before")
    (out / "latest").symlink_to("batch_before")
    (out / "output.jsonl").symlink_to("latest/output.jsonl")
    return out


def folder_of(pid: int) -> Path:
    return next(RUNS.glob(f"*-{pid}-*"))


def child_of(module: str, pid: int) -> int | None:
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - a fixed command
    rows = [row.split(maxsplit=2) for row in listed.splitlines()]
    found = (int(row[0]) for row in rows if row[1] == str(pid) and f"local.stack.child_process {module}" in row[2])
    return next(found, None)
