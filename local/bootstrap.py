"""Make `.venv` from requirements.lock, once per content of the lock; needs nothing but the standard library."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
OLDEST_PYTHON = (3, 11)


def main() -> int:
    """Bring `.venv` up to date and return the exit status."""
    if sys.version_info < OLDEST_PYTHON:
        return _complain(
            f"Batchyard needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make PYTHON=python3.12"
        )
    with (ROOT / ".bootstrap.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # two `make run` may start at once; the lock dies with its process
        return 0 if _stamp().exists() else _install()


def _stamp() -> Path:
    content = LOCK.read_bytes() + sys.version.encode() + str(ROOT).encode()
    return VENV / f"ready-{hashlib.sha256(content).hexdigest()[:16]}"


def _install() -> int:
    print("Setting up the Python environment (once, about a minute) …", file=sys.stderr, flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)], stdout=sys.stderr, check=False).returncode:
        return _complain(
            "Python could not make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv"
        )
    pip = [str(VENV / "bin/python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes"]
    if subprocess.run([*pip, "-r", str(LOCK)], stdout=sys.stderr, check=False).returncode:
        return _complain("The packages of requirements.lock could not be installed; pip says why above.")
    _stamp().touch()
    return 0


def _complain(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
