"""Run a short job with each tool that others wrote: `python -m tests.compat [--lines N] [tool …]`, called by `make compat`.

The tools talk to the emulator, to the front door of a local stack, and, with a file of 11 MB, to the bridge.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from local import ROOT
from tests.compat import page
from tests.compat.environments import CACHE, NotInstalled, install
from tests.compat.jobs import Case, run
from tests.compat.page import Row
from tests.compat.tools import TOOLS, Tool
from tests.system.processes import environment, up

_INPUT, _RESULTS = 11_000_000, 8_000_000  # bytes of the large job
_SHORT = 60  # characters of a request of the small jobs
EMULATOR, FRONT_DOOR, BRIDGE = "emulator", "front door", "11 MB by the bridge"


def main() -> int:
    """Run every job, show and write the table, and return 1 if a job of a tool that is there failed."""
    options = _options()
    chosen = [tool for tool in TOOLS if not options.tools or tool.key in options.tools]
    CACHE.mkdir(parents=True, exist_ok=True)
    with up() as doors, _bridge(doors) as bridge:
        rows = [_row(tool, _cases(doors, bridge, options.lines), doors) for tool in chosen]
    names = [EMULATOR, FRONT_DOOR, BRIDGE]
    print(page.table(rows, names))  # noqa: T201 - a command
    if not options.tools:
        page.write(rows, names, options.lines)
    return int(any(not outcome.good for row in rows for outcome in row.outcomes.values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__)
    parser.add_argument("--lines", type=int, default=2_000, help="requests of each job")
    parser.add_argument("tools", nargs="*", metavar="tool", help=f"some of {' '.join(tool.key for tool in TOOLS)}")
    options = parser.parse_args()
    if unknown := set(options.tools) - {tool.key for tool in TOOLS}:
        parser.error(f"unknown tools: {' '.join(sorted(unknown))}")
    return options


def _row(tool: Tool, cases: Sequence[Case], doors: Mapping[str, str]) -> Row:
    row = Row(tool)
    try:
        command, row.version = install(tool)
    except NotInstalled as error:
        row.missing = str(error)
        _say(f"{tool.name}: not run, {error}")
        return row
    for case in cases:
        _answers_of(doors, _RESULTS // case.lines if case.name == BRIDGE else 0)
        row.outcomes[case.name] = outcome = run(tool, command, case, _description(doors))
        _say(f"{tool.name} {row.version}, {case.name}: {'yes' if outcome.good else 'NO'}, {outcome.told}")
    return row


def _cases(doors: Mapping[str, str], bridge: str, lines: int) -> list[Case]:
    return [
        Case(EMULATOR, doors["provider_url"], "sk-emulator", lines, _SHORT, ordered=False),
        Case(FRONT_DOOR, doors["base_url"], doors["api_key"], lines, _SHORT),
        Case(BRIDGE, bridge, "any", lines, _INPUT // lines),
    ]


def _answers_of(doors: Mapping[str, str], size: int) -> None:
    """Have the emulator fill each answer up to this size."""
    url = doors["provider_url"].removesuffix("/v1") + "/_emulator/scenario"
    httpx.post(url, json={"answer_bytes": size}, timeout=30).raise_for_status()


def _description(doors: Mapping[str, str]) -> str:
    path = CACHE / "openapi.json"
    headers = {"Authorization": f"Bearer {doors['api_key']}"}
    path.write_bytes(httpx.get(f"{doors['base_url']}/openapi.json", headers=headers, timeout=30).content)
    return str(path)


@contextmanager
def _bridge(doors: Mapping[str, str]) -> Iterator[str]:
    given = environment(BATCHYARD_URL=doors["base_url"], BATCHYARD_KEY=doors["api_key"])
    command = [str(Path(sys.executable)), "-m", "local.bridge"]
    with subprocess.Popen(command, cwd=ROOT, env=given, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["base_url"]
        finally:
            process.terminate()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main())
