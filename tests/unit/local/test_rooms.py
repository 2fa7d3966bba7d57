"""Which room of `local/` may import which, read from the imports themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LOCAL = Path(__file__).resolve().parents[3] / "local"
OURS = {"local", "batch_client", "batchyard", "functions", "tests"}
# What a room may import of ours beside itself. A process of the stack is started by its name, and is no import.
MAY_IMPORT: dict[str, set[str]] = {
    "emulator": set(),
    "engine": set(),
}


def imported(path: Path) -> Iterator[str]:
    """Yield the full names that a module imports."""
    package = ["local", *path.relative_to(LOCAL).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{source}.{each.name}" for each in node.names)


def is_within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(f"{allowed}.")


def ours(room: str) -> dict[str, set[str]]:
    """Name what each module of a room imports of ours and from outside the room."""
    found = {
        str(path.relative_to(LOCAL)): {
            name for name in imported(path) if name.split(".")[0] in OURS and not is_within(name, f"local.{room}")
        }
        for path in (LOCAL / room).rglob("*.py")
    }
    assert found
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_stands_below_it(room: str) -> None:
    refused = {
        module: {name for name in names if not any(is_within(name, allowed) for allowed in MAY_IMPORT[room])}
        for module, names in ours(room).items()
    }
    assert {module: names for module, names in refused.items() if names} == {}
