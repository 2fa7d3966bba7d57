"""The page of tests names files that are there, and forgets no room and no floor."""

import re

import pytest

from tests.unit.docs.pages import ROOT

TESTS = ROOT / "tests"
PAGE = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
FOLDERS = ["unit/batchyard", "faults", "integration/batchyard", "."]
MATRIX = PAGE.partition("## Which floor proves which promise")[2].partition("\n## ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")] for line in MATRIX.splitlines() if line.startswith("|")
][2:]
NAMES = [
    (folder, name)
    for _, *cells in ROWS
    for folder, cell in zip(FOLDERS, cells, strict=True)
    for name in re.findall(r"`([^`]+)`", cell)
]


def lies_there(folder: str, name: str) -> bool:
    path = TESTS / folder / name
    return path.exists() or path.with_suffix(".py").exists() or path.with_name(f"test_{path.name}.py").exists()


def test_the_matrix_is_read() -> None:
    assert len(ROWS) >= 16
    assert {folder for folder, _ in NAMES} == set(FOLDERS)


@pytest.mark.parametrize(("folder", "name"), NAMES, ids=lambda each: each)
def test_every_test_that_the_matrix_names_is_there(folder: str, name: str) -> None:
    assert lies_there(folder, name) or lies_there(".", name)


def test_every_folder_that_the_floors_name_is_there() -> None:
    floors = PAGE.partition("## The floors")[2].partition("\n## ")[0]
    named: list[str] = re.findall(r"`(tests/[^`<]+)", floors)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_file_of_the_faults_is_named_for_a_promise() -> None:
    there = {path.stem.removeprefix("test_") for path in (TESTS / "faults").glob("test_*.py")}
    assert there <= {name for folder, name in NAMES if folder == "faults"}
