"""The names in `__all__` are the whole public face of the client; everything else in the package is private."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import batch_client

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "layers/client/batch_client"
OWN_TESTS = ROOT / "tests/unit/batch_client"
USERS = [
    path
    for folder in ("layers/core", "functions", "local", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not path.is_relative_to(OWN_TESTS)
]


def imported(source: str) -> Iterator[str]:
    """Yield what a text imports of the client: public names, and modules with their dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "batch_client":
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("batch_client."):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.startswith("batch_client."))


def test_everyone_else_imports_only_public_names() -> None:
    found = {path: set(imported(path.read_text(encoding="utf-8"))) for path in USERS}
    assert set().union(*found.values()) >= {"BatchClient", "choose_profile"}
    private = {str(path.relative_to(ROOT)): names - set(batch_client.__all__) for path, names in found.items()}
    assert {path: names for path, names in private.items() if names} == {}


def test_a_page_shows_only_public_names() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]
    shown = {
        name for line in lines if re.match(r"\s*(from|import) batch_client", line) for name in imported(line.strip())
    }
    assert "BatchClient" in shown
    assert shown <= set(batch_client.__all__)


def test_every_public_name_exists_and_no_module_is_one() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert all(hasattr(batch_client, name) for name in batch_client.__all__)
    assert set(batch_client._MODULES) == set(batch_client.__all__)  # noqa: SLF001 - what is imported by name
    with pytest.raises(AttributeError, match="no_such_name"):
        batch_client.no_such_name  # type: ignore[attr-defined]  # noqa: B018 - as a caller would slip
    assert not modules & set(batch_client.__all__)


def test_the_package_says_so() -> None:
    said = " ".join((batch_client.__doc__ or "").split())
    assert "The names in `__all__` are public." in said
    assert "every module of this package, is private" in said
