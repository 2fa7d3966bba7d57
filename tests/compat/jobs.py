"""Run the script of a tool, within bounds, and see what came of it."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.compat.environments import CACHE, SCRIPTS
from tests.compat.tools import Tool

_SECONDS = 600
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True)
class Case:
    """One job that every tool gets."""

    #: The head of its column.
    name: str
    #: The API that the tool talks to.
    base_url: str
    #: The key for it.
    key: str
    #: How many requests.
    lines: int
    #: About how many characters a request has.
    characters: int
    #: Whether the answers come in the order of the requests, as Batchyard promises and providers do not.
    ordered: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of one job."""

    #: Whether every request was answered.
    good: bool
    #: What is shown: the seconds, or the reason.
    told: str


def run(tool: Tool, command: Sequence[str], case: Case, description: str) -> Outcome:
    """Run one job in an empty folder; `description` is the path of the API's own description."""
    folder = CACHE / "jobs" / tool.key / case.name.replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    with (folder / "log").open("w", encoding="utf-8") as log:
        try:
            done = subprocess.run(  # noqa: S603 - our own scripts
                command, cwd=folder, env=_environment(case, str(folder), description),
                stdout=subprocess.PIPE, stderr=log, text=True, timeout=_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Outcome(good=False, told=f"not ended within {_SECONDS} s")
    seconds = time.monotonic() - began
    (folder / "out").write_text(done.stdout, encoding="utf-8")
    answered = _answered(done.stdout)
    if done.returncode or answered is None:
        return Outcome(good=False, told=f"failed: {_reason((folder / 'log').read_text('utf-8', 'replace'))}")
    if answered != case.lines:
        return Outcome(good=False, told=f"{answered} of {case.lines} answered")
    return Outcome(good=True, told=f"{seconds:.0f} s")


def _reason(log: str) -> str:
    """Return the line of a log that most likely says what went wrong."""
    lines = [line.strip() for line in log.splitlines() if line.strip()] or ["no word"]
    named = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception)\b.*: ", line)]
    return (named or lines)[-1][:160]


def _answered(output: str) -> int | None:
    last = (output.strip().splitlines() or [""])[-1]
    try:
        return int(json.loads(last)["answered"])
    except (ValueError, KeyError, TypeError):  # the script did not get so far
        return None


def _environment(case: Case, folder: str, description: str) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "HOME": folder,
        "PYTHONPATH": str(SCRIPTS),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "OPENAI_BASE_URL": case.base_url,
        "OPENAI_API_KEY": case.key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "COMPAT_LINES": str(case.lines),
        "COMPAT_CHARACTERS": str(case.characters),
        "COMPAT_ORDERED": "yes" if case.ordered else "",
        "COMPAT_DESCRIPTION": description,
    }
