"""Start the commands a user types, and see what becomes of their processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import httpx

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
# what a user may have set for their own work must not reach the tests
_FOREIGN = ("AWS_", "BATCHYARD_", "PROVIDER")


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, "PYTHONPATH": os.pathsep.join((".", "layers/client", "layers/core")), **settings}


def local(
    *arguments: str, settings: Mapping[str, str] | None = None, stderr: IO[str] | None = None
) -> subprocess.Popen[str]:
    """Start `python -m local` with these arguments and settings; its standard output is a pipe."""
    command = [sys.executable, "-m", "local", *arguments]
    return subprocess.Popen(  # noqa: S603 - our own program
        command, cwd=ROOT, env=environment(**(settings or {})), stdout=subprocess.PIPE, stderr=stderr, text=True
    )


@contextmanager
def up(**settings: str) -> Iterator[Mapping[str, str]]:
    """Yield the doors of a stack of one's own."""
    with local("up", settings=settings) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@contextmanager
def own_provider(*options: str) -> Iterator[Mapping[str, str]]:
    """Yield the settings that name a provider of the user's own, which outlives the run."""
    with provider_process(*options) as (_, settings):
        yield settings


@contextmanager
def provider_process(*options: str) -> Iterator[tuple[subprocess.Popen[str], Mapping[str, str]]]:
    """Yield the process of a provider of the user's own, and the settings that name it."""
    command = [sys.executable, "-m", "local.emulator", *options]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as theirs:  # noqa: S603 - our own program
        try:
            assert theirs.stdout is not None
            ready = json.loads(theirs.stdout.readline())
            yield theirs, {"PROVIDER_BASE_URL": ready["provider_url"], "PROVIDER_API_KEY": ready["api_key"]}
        finally:
            theirs.terminate()


def admin(own: Mapping[str, str], door: str) -> str:
    """Return the address of one of the emulator's own doors."""
    return f"{own['PROVIDER_BASE_URL'].removesuffix('/v1')}/_emulator/{door}"


def ledger(own: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the provider batches that were made at the user's own provider."""
    entries: list[dict[str, Any]] = httpx.get(admin(own, "ledger"), timeout=60).json()["data"]
    return entries


def descendants(pid: int) -> set[int]:
    """Return the ids of every process that this one started, and those started, and so on."""
    parents = {child: int(parent) for child, (parent, _) in _processes().items()}
    found, new = set[int](), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def alive(pids: set[int]) -> set[int]:
    """Return those that still run; a zombie does not."""
    return {pid for pid, (_, state) in _processes().items() if not state.startswith("Z")} & pids


def _processes() -> dict[int, tuple[str, str]]:
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - a fixed command
    return {int(pid): (parent, state) for pid, parent, state in map(str.split, listed.splitlines())}


def eventually(ask: Callable[[], T | None], seconds: float = 60) -> T:
    """Return the first answer that is not None (or False), asked for again and again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if answer is not None and answer is not False:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"it did not come about within {seconds} seconds")
