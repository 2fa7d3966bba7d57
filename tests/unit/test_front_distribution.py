"""The distribution of the front: what its wheel holds, what it needs, and what a command imports before it works."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FRONT = ROOT / "layers/client"
HEAVY = ("requests", "urllib3", "rich", "pyarrow", "msgspec", "asyncio", "batch_client")
LIGHT = """
import sys
from batchyard_client.__main__ import main
assert main(sys.argv[1:]) == 0
print(*sorted(name for name in {0} if name in sys.modules))
"""


def project(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return found


def test_the_lock_holds_what_the_distribution_needs() -> None:
    own, all_ = project(FRONT / "pyproject.toml"), project(ROOT / "pyproject.toml")
    extras = all_["optional-dependencies"]
    assert sorted(own["dependencies"]) == sorted([*extras["client"], *extras["front"]])
    assert own["optional-dependencies"]["tables"] == extras["tables"]
    assert own["requires-python"] == all_["requires-python"]


def test_a_wheel_holds_both_packages_whole_and_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(FRONT)], check=True, timeout=120)  # noqa: S603 - our own Python
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert archive.read(points).decode().split() == [
            "[console_scripts]", "batchyard", "=", "batchyard_client.__main__:start"
        ]  # fmt: skip
    sources = [path for name in ("batch_client", "batchyard_client") for path in (FRONT / name).rglob("*")]
    wanted = {str(path.relative_to(FRONT)) for path in sources if path.suffix in (".py", ".typed")}
    assert names == wanted


def test_help_imports_nothing_heavy_so_that_it_comes_at_once() -> None:
    script = LIGHT.format(HEAVY)
    for arguments in (["--help"], ["run", "--help"], ["completion", "bash"]):
        told = subprocess.run(  # noqa: S603 - our own Python
            [sys.executable, "-c", script, *arguments],
            cwd=FRONT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert told.stdout.splitlines()[-1] == "", told.stdout


def test_the_package_is_imported_without_anything_heavy() -> None:
    script = f"import sys, batchyard_client as by\nby.run, by.submit, by.job\nprint(*[n for n in {HEAVY} if n in sys.modules])"
    told = subprocess.run(  # noqa: S603 - our own Python
        [sys.executable, "-c", script], cwd=FRONT, capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.strip() == ""
