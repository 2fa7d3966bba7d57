import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import DOCS, PAGES, README, ROOT, anchored, anchors, first_paragraph, links, name_of

MOST_LINES = 150
each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def broken(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    if not found.exists() or not found.is_relative_to(ROOT):
        return True
    return bool(anchor) and anchor not in anchors(found)


@each_page
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    assert [target for target in links(page) if broken(page, target)] == []


def test_most_pages_have_links_and_some_have_anchors() -> None:
    every = [target for page in PAGES for target in links(page)]
    assert len(every) > 50
    assert sum("#" in target for target in every) > 15


@pytest.mark.parametrize("target", ["nothing.md", "README.md#nothing", "#nothing", "../outside.md"])
def test_a_broken_link_is_found(target: str) -> None:
    assert broken(README, target)


def test_anchors_are_those_that_github_gives() -> None:
    headings = [
        "Ask twice, pay once",
        "`make up`",
        "A [link](x.md)",
        "Bad_lines",
        "Größe",
        "Same",
        "Same",
        "AWS, and B",
    ]
    assert list(anchored(headings)) == [
        "ask-twice-pay-once", "make-up", "a-link", "bad_lines", "größe", "same", "same-1", "aws-and-b",
    ]  # fmt: skip


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_the_readme_has_every_page_in_its_table() -> None:
    rows = re.findall(r"^\| \[[^\]]+\]\((docs/[^)#]+)\) \| .+ \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name_of(page) for page in DOCS if name_of(page) not in rows] == []
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_a_page_says_first_whom_it_is_for(page: Path) -> None:
    assert first_paragraph(page).startswith("For ")
