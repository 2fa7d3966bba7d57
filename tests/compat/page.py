"""The table of tools: on the terminal, and in docs/compatibility.md."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local import ROOT
from tests.compat.jobs import Outcome
from tests.compat.tools import Tool

PAGE = ROOT / "docs/compatibility.md"
BEGIN, END = "<!-- table: make compat -->", "<!-- end of the table -->"


@dataclass
class Row:
    """One tool, and what became of each of its jobs."""

    tool: Tool
    #: The version that was installed.
    version: str = ""
    #: Why the tool was not run; empty if it was.
    missing: str = ""
    #: By the name of the case.
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def table(rows: Sequence[Row], cases: Sequence[str]) -> str:
    """Return the table in Markdown."""
    heads = ["tool", "version", "what was run", *cases]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row in rows:
        cells = [_cell(row.outcomes.get(case)) for case in cases] if not row.missing else ["not run"] * len(cases)
        job = f"{row.tool.job} (not run: {row.missing})" if row.missing else row.tool.job
        lines.append(_line([row.tool.name, row.version or "-", job, *cells]))
    return "\n".join(lines)


def write(rows: Sequence[Row], cases: Sequence[str], lines: int, page: Path = PAGE) -> None:
    """Put the table into the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    day = time.strftime("%Y-%m-%d")
    told = f"Run on {day}, with {lines:,} requests in each job.\n\n{table(rows, cases)}"
    page.write_text(f"{before}{BEGIN}\n{told}\n{END}{after}", encoding="utf-8")


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "-"
    return f"yes, {outcome.told}" if outcome.good else f"**no**: {outcome.told.replace('|', '/')}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
