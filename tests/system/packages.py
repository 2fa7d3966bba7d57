"""What npm installs for the tests, as a package-lock.json pins it: outside the sources, and once."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.system.processes import ROOT


def installed(sources: Path) -> Path:
    """Return a folder with the files of `sources` and the packages that its package-lock.json pins."""
    files = sorted(path for path in sources.iterdir() if path.is_file())
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
    place = ROOT / ".cache" / "node" / digest
    if not (place / "done").exists():
        shutil.copytree(sources, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=200)  # noqa: S603 - a fixed command
        (place / "done").touch()
    return place
