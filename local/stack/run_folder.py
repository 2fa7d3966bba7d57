"""A folder for each run under `.cache/runs`: its logs, and scratch space that is removed when the run ends.

A run holds a lock on its folder. The operating system releases the lock even if the run is killed, so the next run can
tell that a folder belongs to no run, and removes the scratch space in it.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local import ROOT

RUNS = ROOT / ".cache" / "runs"
_LOGS_KEPT = 10


@contextmanager
def run_folder(runs: Path = RUNS) -> Iterator[Path]:
    """Make the folder of this run, with an empty folder `scratch` in it. The logs of the latest ten runs stay."""
    runs.mkdir(parents=True, exist_ok=True)
    with _locking(runs / "lock"):  # no other run may remove the folder before it is locked
        _remove_what_dead_runs_left(runs)
        folder = Path(tempfile.mkdtemp(prefix=f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-", dir=runs))
        (folder / "scratch").mkdir()
        held = _take_lock(folder)
    with held:
        try:
            yield folder
        finally:
            shutil.rmtree(folder / "scratch", ignore_errors=True)


def living_runs(runs: Path = RUNS) -> list[Path]:
    """Return the folders of the runs that go on, oldest first."""
    if not runs.is_dir():
        return []
    with _locking(runs / "lock"):  # no run is about to take the lock of its folder
        return sorted(folder for folder in runs.iterdir() if folder.is_dir() and _lives(folder))


def _lives(folder: Path) -> bool:
    try:
        _take_lock(folder).close()
    except BlockingIOError:
        return True
    return False


def _take_lock(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise
    return lock


@contextmanager
def _locking(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_what_dead_runs_left(runs: Path) -> None:
    newest_first = sorted((path for path in runs.iterdir() if path.is_dir()), reverse=True)
    for place, folder in enumerate(newest_first, start=2):  # the newest run is this one, whose folder is not made yet
        try:
            held = _take_lock(folder)
        except BlockingIOError:
            continue  # the run of this folder is alive
        with held:
            shutil.rmtree(folder / "scratch", ignore_errors=True)
            if place > _LOGS_KEPT:
                shutil.rmtree(folder, ignore_errors=True)
