"""A workflow, ours or that of a page, runs no code of others that may change under its name."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
SHOWN = ROOT / "docs/automation.md"


def test_there_is_a_workflow() -> None:
    assert WORKFLOWS
    assert "uses:" in SHOWN.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*WORKFLOWS, SHOWN], ids=lambda path: path.name)
def test_each_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"^\s*-?\s*uses:\s*(.+)$", text, re.MULTILINE)
    assert len(used) == text.count("uses:")
    assert [each for each in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v[\d.]+", each)] == []
