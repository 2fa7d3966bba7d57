import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import bootstrap

NO_PACKAGES = "# none\n"


@contextmanager
def setting_up(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the set-up of a copy of this project without packages, in a session of its own as a terminal has it."""
    (root / "local").mkdir(parents=True)
    (root / "requirements.lock").write_text(NO_PACKAGES)
    (root / "layers/client").mkdir(parents=True)
    shutil.copy(bootstrap.FRONT / "pyproject.toml", root / "layers/client")
    script = shutil.copy(bootstrap.__file__, root / "local")
    command = [sys.executable, script]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        yield process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_who_stops_the_set_up_reads_one_sentence(tmp_path: Path, number: int, status: int) -> None:
    with setting_up(tmp_path) as process:
        while not (tmp_path / ".venv" / "pyvenv.cfg").exists():
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, number)
        _, told = process.communicate(timeout=30)
    assert told.splitlines()[1:] == ["Stopped while setting up; the next make goes on."]
    assert process.returncode == status
    assert not list((tmp_path / ".venv").glob("ready-*"))


def test_a_folder_that_no_environment_can_be_in_is_told_before_one_is_tried(tmp_path: Path) -> None:
    with setting_up(tmp_path / "a:b") as process:
        _, told = process.communicate(timeout=30)
    assert told.startswith("The path of this folder has a ':' in it")
    assert len(told.splitlines()) == process.returncode == 1
    assert not (tmp_path / "a:b" / ".venv").exists()


def test_a_long_set_up_says_that_it_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.run([sys.executable, "-c", "import time; time.sleep(0.5); raise SystemExit(3)"], 0.1) == 3
    assert capfd.readouterr().err.count("Still setting up") >= 2


def test_a_short_set_up_says_nothing_of_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.run([sys.executable, "-c", ""]) == 0
    assert capfd.readouterr().err == ""
