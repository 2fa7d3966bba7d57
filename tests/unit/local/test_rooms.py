"""Which room of `local/` may import which: docs/architecture.md says so, and the imports follow."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCAL = ROOT / "local"
PAGE = ROOT / "docs/architecture.md"
OURS = {
    "local": ROOT,
    "functions": ROOT,
    "tests": ROOT,
    "batchyard": ROOT / "layers/core",
    "batch_client": ROOT / "layers/client",
}
ENTRIES = "the entries"


def table() -> dict[str, set[str]]:
    """Read from the page what each room may import of ours: rooms and modules by their full names."""
    section = PAGE.read_text(encoding="utf-8").partition("| room of `local` | may import of ours |")[2]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section.partition("\n\n")[0], re.MULTILINE)
    return {room.strip("`"): set(re.findall(r"`([\w.]+)`", told)) for room, told in rows}


MAY_IMPORT = table()
ROOMS = [room for room in MAY_IMPORT if room != ENTRIES]


def modules(room: str) -> list[Path]:
    found = LOCAL.glob("*.py") if room == ENTRIES else (LOCAL / room.removeprefix("local.")).rglob("*.py")
    return sorted(found)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def module_of(name: str) -> str:
    """Return the module that an imported name is, or is in."""
    parts = name.split(".")
    while len(parts) > 1:
        path = OURS[parts[0]].joinpath(*parts)
        if path.is_dir() or path.with_suffix(".py").exists():
            break
        parts.pop()
    return ".".join(parts)


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a module imports."""
    package = [*name_of(path).split("."), "__init__"] if path.stem == "__init__" else name_of(path).split(".")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{source}.{each.name}" for each in node.names]
        yield from (module_of(name) for name in names if name.split(".")[0] in OURS)


def face(room: str) -> set[str]:
    """Return the modules of a room that its docstring offers to others."""
    place = LOCAL / room.removeprefix("local.") / "__init__.py"
    said = ast.get_docstring(ast.parse(place.read_text(encoding="utf-8"))) or ""
    listed = re.search(r"^Other rooms import: ([\w, ]+)\.$", said, re.MULTILINE)
    return {f"{room}.{name}" for name in listed[1].split(", ")} if listed else set()


def allowed(room: str) -> set[str]:
    named = MAY_IMPORT[room]
    return {*map(name_of, modules(room)), *named}.union(*(face(each) for each in named & set(ROOMS)))


def test_every_room_has_its_row() -> None:
    assert {f"local.{path.parent.name}" for path in LOCAL.glob("*/__init__.py")} == set(ROOMS)
    for room in ("local.bridge", "local.emulator", "local.engine"):  # each of which could be a package of its own
        assert MAY_IMPORT[room] - {"local.board"} == {"local.callers"}
    assert MAY_IMPORT["local.board"] == set()


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_its_row_allows(room: str) -> None:
    refused = {name_of(path): set(imported(path)) - allowed(room) for path in modules(room)}
    assert refused
    assert {module: names for module, names in refused.items() if names} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_offers_only_modules_that_others_import(room: str) -> None:
    used = {name for other in MAY_IMPORT if other != room for path in modules(other) for name in imported(path)}
    assert face(room) <= used & set(map(name_of, modules(room)))
