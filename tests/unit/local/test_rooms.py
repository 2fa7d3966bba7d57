"""Which room of `local/` may import which, read from the imports themselves."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCAL = ROOT / "local"
OURS = {
    "local": ROOT,
    "functions": ROOT,
    "tests": ROOT,
    "batchyard": ROOT / "layers/core",
    "batch_client": ROOT / "layers/client",
}
ENTRIES = "the entries beside the rooms"
# What a room may import of ours beside itself: a module by its full name, or those that a room's docstring names.
# A process of the stack, such as the emulator, is started by its name, and is no import.
MAY_IMPORT: dict[str, set[str]] = {
    "emulator": set(),
    "engine": set(),
    "stack": {"local", "local.errors", "local.engine", "batch_client"},
    "run": {"local", "local.errors", "stack", "batch_client"},
    ENTRIES: {"local", "stack", "run"},
}


def modules(room: str) -> list[Path]:
    found = LOCAL.glob("*.py") if room == ENTRIES else (LOCAL / room).rglob("*.py")
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
    """Name the modules of a room that its docstring offers to others."""
    said = ast.get_docstring(ast.parse((LOCAL / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    listed = re.search(r"Other rooms import: ([a-z_, \n]+)\.", said)
    return {f"local.{room}.{name}" for name in re.findall(r"\w+", listed[1])} if listed else set()


def allowed(room: str) -> set[str]:
    rooms = {name for name in MAY_IMPORT[room] if (LOCAL / name).is_dir()}
    own = set(map(name_of, modules(room)))
    return own.union(MAY_IMPORT[room] - rooms, *map(face, rooms))


def test_every_room_has_its_row() -> None:
    rooms = {path.parent.name for path in LOCAL.glob("*/__init__.py")}
    assert rooms | {ENTRIES} == MAY_IMPORT.keys()


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_stands_below_it(room: str) -> None:
    refused = {name_of(path): set(imported(path)) - allowed(room) for path in modules(room)}
    assert refused
    assert {module: names for module, names in refused.items() if names} == {}


@pytest.mark.parametrize("room", [room for room in MAY_IMPORT if room != ENTRIES])
def test_a_room_offers_only_modules_that_exist_and_that_others_import(room: str) -> None:
    used = {name for other in MAY_IMPORT.keys() - {room} for path in modules(other) for name in imported(path)}
    assert face(room) <= used & set(map(name_of, modules(room)))
