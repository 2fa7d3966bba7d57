"""What the layers' requirements pin is all that the functions need."""

import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = sorted(path for path in (ROOT / "layers").iterdir() if (path / "requirements.txt").exists())
HANDLERS = sorted((ROOT / "functions").glob("*/handler.py"))
PACKAGE = re.compile(r"^PACKAGE := (\w+)$", re.MULTILINE)
PIN = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)
IMPORT_ALL = """
import importlib.util, runpy, sys
sys.path[:0] = sys.argv[1:2]
assert importlib.util.find_spec("pytest") is None, "the interpreter is not clean"
for handler in sys.argv[2:]:
    assert callable(runpy.run_path(handler, run_name="handler")["handler"]), handler
from importlib.metadata import version
from batchyard.results.report import PACKAGES
print(*[f"{name}={version(name)}" for name in PACKAGES])
"""


def top_levels(package: str) -> dict[str, Path]:
    """Name what a distribution put into site-packages: packages, modules, and its own metadata."""
    files = distribution(package).files or []
    names = {file.parts[0] for file in files} - {"..", "__pycache__"}
    return {name: Path(str(distribution(package).locate_file(name))) for name in names}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Lay out what the layers bring, by links, as they lie under /opt/python."""
    for layer in LAYERS:
        (own,) = [layer / name for name in PACKAGE.findall((layer / "Makefile").read_text(encoding="utf-8"))]
        (tmp_path / own.name).symlink_to(own)
        for package in PIN.findall((layer / "requirements.txt").read_text(encoding="utf-8")):
            for name, place in top_levels(package).items():
                if not (tmp_path / name).exists():
                    (tmp_path / name).symlink_to(place)
    return tmp_path


def test_every_function_imports_in_a_clean_interpreter_with_only_the_layers(site: Path) -> None:
    assert len(LAYERS) == 2
    assert len(HANDLERS) >= 9
    command = [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(site), *map(str, HANDLERS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own interpreter
    assert done.returncode == 0, done.stderr
    assert "boto3=" in done.stdout
