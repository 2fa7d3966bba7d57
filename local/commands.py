"""Show the make targets and their variables, `python -m local.commands`; this module needs the standard library alone."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAKEFILE = Path(__file__).resolve().parent.parent / "Makefile"
WITH_THEM = {
    "INPUT=…": "The JSONL file of requests for `make run`. Default: local/requests.jsonl, with the emulator alone",
    "OUT=…": "The folder for its results. Default: out",
    "PROVIDER_BASE_URL=…": "Your own provider, such as https://api.openai.com/v1, instead of the emulator.",
    "PROVIDER_API_KEY=…": "The key that goes with it.",
    "PROVIDERS=…": "Several providers of your own with their keys, as JSON or the name of a file (docs/providers.md).",
    "PROVIDER=…": "For `make prove`: which of PROVIDERS; with one provider, its profile, if not its address chooses it.",
    "BUCKET=…": "For `make prove` of Amazon Bedrock: your bucket in its region. Objects lie below `providers/prove/`.",
    "ROLE=…": "For `make prove` of Amazon Bedrock: the ARN of the role with which it does so, such as that of a stack.",
    "MODEL=…": "For `make prove`: a cheap model of the provider. Of a few providers one is known.",
    "BATCHYARD_URL=…": "The HTTP API for `make bridge` and `make status`, which ends in /v1: the stack's output ApiUrl.",
    "BATCHYARD_KEY=…": "A key of that API, which `make key` printed.",
    "BRIDGE_PORT=…": "For `make bridge`: its port on 127.0.0.1. Default: any free one.",
    "DRY_RUN=1": "`make run` estimates tokens and dollars, and sends nothing.",
    "MAX_COST_USD=…": "`make run` sends nothing if the estimate in US dollars is above it, or if a model has no price.",
}
_MORE = "`make setup` prepares the environment (once, about a minute); `make help` then lists every other setting, too."


def targets() -> Iterator[tuple[str, str]]:
    """Yield each explained target of the Makefile: the command to type, and what the command does."""
    for line in MAKEFILE.read_text(encoding="utf-8").splitlines():
        found = re.fullmatch(r"([a-z][a-z-]*):.*?## (.+)", line)
        if found:
            yield f"make {found[1]}", found[2]


def section(title: str, rows: Iterator[tuple[str, str]]) -> str:
    """Return a title and, below, names with their meanings."""
    return f"{title}\n" + "\n".join(_entry(*row) for row in rows)


def text() -> str:
    """Return the help for a checkout that is not set up yet."""
    return "\n\n".join((section("Commands", targets()), section("Settings", iter(WITH_THEM.items())), _MORE))


def show(told: str) -> None:
    """Print the text; a reader such as `head` may close the pipe before the end."""
    try:
        print(told, flush=True)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # else the interpreter complains when it flushes at its end


def _entry(name: str, description: str) -> str:
    indent = " " * 6
    return f"  {name}\n" + textwrap.fill(
        description, 100, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


if __name__ == "__main__":
    show(text())
