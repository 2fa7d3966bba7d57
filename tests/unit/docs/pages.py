"""What users and contributors read: the pages, their links, and the anchors that GitHub gives their headings."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, ROOT / "CONTRIBUTING.md", *DOCS, *sorted((ROOT / "tests").glob("**/README.md"))]

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.MULTILINE)
MARKUP = re.compile(r"\[([^\]]*)\]\([^)]*\)|[`*]")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def prose(path: Path) -> str:
    """Return a page without its blocks of code."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def code(path: Path) -> str:
    """Return the code of a page: its blocks, and what stands between backticks."""
    text = path.read_text(encoding="utf-8")
    return "\n".join([*(found[0] for found in FENCE.finditer(text)), *CODE.findall(prose(path))])


def links(path: Path) -> list[str]:
    """Return what a page links to within the repository."""
    found = LINK.findall(CODE.sub("", prose(path)))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


@cache
def anchors(path: Path) -> set[str]:
    return set(anchored(HEADING.findall(prose(path))))


def anchored(headings: list[str]) -> Iterator[str]:
    """Yield an anchor for each heading as GitHub does: in lower case, without punctuation, the second of a name as `name-1`."""
    seen: dict[str, int] = {}
    for heading in headings:
        text = MARKUP.sub(r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        seen[anchor] = seen.get(anchor, -1) + 1
        yield f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor


def first_paragraph(path: Path) -> str:
    """Return what stands below a page's title."""
    title, _, rest = prose(path).partition("\n")
    assert title.startswith("# "), name_of(path)
    return rest.strip().split("\n\n", maxsplit=1)[0]
