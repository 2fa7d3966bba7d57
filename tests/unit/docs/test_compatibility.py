"""The page of tools names each tool that `make compat` tries, and hides none that could not be installed."""

from pathlib import Path

import pytest

from tests.compat import page
from tests.compat.environments import SCRIPTS
from tests.compat.jobs import Outcome
from tests.compat.page import Row
from tests.compat.tools import TOOLS

CASES = ["direct", "bridge"]


def test_every_tool_has_a_script_and_every_script_a_tool() -> None:
    assert {tool.script for tool in TOOLS} == {path.name for path in SCRIPTS.glob("with_*")}


def test_the_page_has_a_row_for_every_tool() -> None:
    rows = [
        line.split(" | ")[0].strip("| ") for line in page.PAGE.read_text(encoding="utf-8").splitlines() if "|" in line
    ]
    assert [name for name in rows if name in {tool.name for tool in TOOLS}] == [tool.name for tool in TOOLS]


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (Row(TOOLS[0], "1.2", outcomes={"direct": Outcome(good=True, told="3 s")}), "| yes, 3 s | - |"),
        (Row(TOOLS[0], "1.2", outcomes={"bridge": Outcome(good=False, told="a|b")}), "| - | **no**: a/b |"),
        (Row(TOOLS[0], missing="it needs Python 9"), "(not run: it needs Python 9) | not run | not run |"),
    ],
)
def test_a_row_says_what_was_seen(row: Row, cells: str) -> None:
    assert page.table([row], CASES).endswith(cells)


def test_a_new_table_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", encoding="utf-8")
    page.write([Row(TOOLS[0], "1.2")], CASES, 2_000, path)
    told = path.read_text(encoding="utf-8")
    assert "2,000 requests" in told
    assert "old" not in told
    assert (told.startswith("before\n"), told.endswith("\nafter\n")) == (True, True)
