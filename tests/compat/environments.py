"""Install each tool into an environment of its own, below .cache/compat, once."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local import ROOT
from tests.compat.tools import NODE, Tool

CACHE = ROOT / ".cache/compat"
SCRIPTS = Path(__file__).parent
_SECONDS = 600
_UV = Path(sys.executable).with_name("uv")
_VERSION = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
_NODE_VERSION = (
    "console.log(JSON.parse(require('fs').readFileSync(`node_modules/${process.argv[1]}/package.json`)).version)"
)


class NotInstalled(Exception):  # noqa: N818 - a fact for the table
    """The tool cannot be installed here; the text says why."""


def install(tool: Tool) -> tuple[list[str], str]:
    """Return the command that runs the script of a tool, and the version of the tool; raises NotInstalled."""
    place = CACHE / tool.key
    return _node(tool, place) if tool.language == NODE else _python(tool, place)


def _python(tool: Tool, place: Path) -> tuple[list[str], str]:
    program = place / "bin/python"
    if not (place / "done").exists():
        shutil.rmtree(place, ignore_errors=True)
        wanted = tool.python or f"{sys.version_info.major}.{sys.version_info.minor}"
        try:
            _run([_UV, "venv", "-q", "--python", wanted, "--no-python-downloads", place])
        except NotInstalled as error:
            raise NotInstalled(f"it needs Python {wanted}, which is not on this machine") from error
        _run([_UV, "pip", "install", "-q", "--python", program, tool.wanted or tool.package, *tool.beside])
        (place / "done").touch()
    return [str(program), str(SCRIPTS / tool.script)], _run([program, "-c", _VERSION, tool.package])


def _node(tool: Tool, place: Path) -> tuple[list[str], str]:
    if not shutil.which("npm"):
        raise NotInstalled("it needs Node, which is not on this machine")
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "done").exists():
        _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", place, tool.package])
        (place / "done").touch()
    for name in ("asked.mjs", tool.script):  # Node looks for packages beside the script
        shutil.copy(SCRIPTS / name, place / name)
    return ["node", str(place / tool.script)], _run(["node", "-e", _NODE_VERSION, tool.package], place)


def _run(command: Sequence[object], folder: Path = ROOT) -> str:
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603 - fixed commands
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"`{Path(words[0]).name}` took more than {_SECONDS} seconds") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason"])[-1]
        raise NotInstalled(f"`{Path(words[0]).name} {words[1]}` failed: {last[:200]}")
    return done.stdout.strip()
