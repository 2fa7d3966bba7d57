"""Make `.venv` from requirements.lock, once for each content of the lock; this module needs the standard library alone."""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
FRONT = ROOT / "layers/client"  # the command `batchyard`, run from its source
OLDEST_PYTHON = (3, 11)
_TOLD_SECONDS = 15.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Bring `.venv` up to date, and return the exit status; with `--ready`, only tell whether `.venv` is up to date."""
    if sys.version_info < OLDEST_PYTHON:
        return _complain(
            f"Batchyard needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make PYTHON=python3.12"
        )
    if sys.argv[1:] == ["--ready"]:
        return 0 if _stamp().exists() else 1
    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _stop)
    try:
        return _set_up()
    except SystemExit:
        _complain("Stopped while setting up; the next make goes on.")
        raise


def _set_up() -> int:
    with (ROOT / ".bootstrap.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # two `make run` may start at once; the lock ends with its process
        return 0 if _stamp().exists() else _install()


def _stop(number: int, _frame: object) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # the end comes at once, and a second signal changes nothing
    sys.exit(128 + number)


def _stamp() -> Path:
    content = LOCK.read_bytes() + (FRONT / "pyproject.toml").read_bytes() + sys.version.encode() + str(ROOT).encode()
    return VENV / f"ready-{hashlib.sha256(content).hexdigest()[:16]}"


def _install() -> int:
    if os.pathsep in str(ROOT):
        return _complain(
            f"The path of this folder has a '{os.pathsep}' in it, which Python's environments cannot have; move it: {ROOT}"
        )
    print("Setting up the Python environment (once, about a minute) …", file=sys.stderr, flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    if run([sys.executable, "-m", "venv", str(VENV)]):
        return _complain(
            "Python could not make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv"
        )
    pip = [str(VENV / "bin/python"), "-m", "pip", "--no-input", "--disable-pip-version-check", "install", "-qq"]
    # most modules are never imported, and compiling all of them is half of the work
    if run([*pip, "--no-compile", "--require-hashes", "-r", str(LOCK)]):
        return _complain("The packages of requirements.lock could not be installed; pip says why above.")
    if run([*pip, "--no-compile", "--no-deps", "--no-build-isolation", "--editable", str(FRONT)]):
        return _complain(f"The command of {FRONT} could not be installed; pip says why above.")
    _stamp().touch()
    return 0


def run(command: list[str], told_seconds: float = _TOLD_SECONDS) -> int:
    """Run `command`, say now and then that it still runs, and return its exit status; it ends when this process ends."""
    started = time.monotonic()
    # a process group of its own: Ctrl-C reaches only this process, which then ends the whole group
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, process_group=0)
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(told_seconds)
            _complain(f"Still setting up, {time.monotonic() - started:.0f} seconds so far …")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _complain(message: str) -> int:
    print(message, file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
