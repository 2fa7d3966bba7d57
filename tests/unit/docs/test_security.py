"""The page on security names tests that are there, and every function."""

import re

from tests.unit.docs.pages import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"`([\w/]+/test_\w+\.py)`", PAGE)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / "tests" / name).exists()] == []


def test_every_function_has_its_row() -> None:
    rows = PAGE.partition("| function |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows.splitlines()[2:])))
    assert named == {path.parent.name for path in ROOT.glob("functions/*/handler.py")}
