"""A folder of its own for every run under `.cache/runs`: logs, and scratch space that is gone when the run is.

A living run holds a lock on its folder. The system lets go of it however the run ends, so whatever a killed run left
behind is known for what it is, and the next run removes it.
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
def workplace(runs: Path = RUNS) -> Iterator[Path]:
    """Yield the new folder of this run, with an empty `scratch` in it. The logs of the latest ten stay."""
    runs.mkdir(parents=True, exist_ok=True)
    with _locked(runs / "lock"):  # nobody may sweep away a folder between its making and its locking
        _sweep(runs)
        folder = Path(tempfile.mkdtemp(prefix=f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-", dir=runs))
        (folder / "scratch").mkdir()
        held = _held(folder)
    with held:
        try:
            yield folder
        finally:
            shutil.rmtree(folder / "scratch", ignore_errors=True)


def _held(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise
    return lock


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(runs: Path) -> None:
    newest_first = sorted((path for path in runs.iterdir() if path.is_dir()), reverse=True)
    for place, folder in enumerate(newest_first, start=2):  # the run that sweeps is the newest
        try:
            held = _held(folder)
        except BlockingIOError:
            continue  # its run is alive
        with held:
            shutil.rmtree(folder / "scratch", ignore_errors=True)
            if place > _LOGS_KEPT:
                shutil.rmtree(folder, ignore_errors=True)
