"""Where a test lies: beside the others of its room, under the name of its module."""

from itertools import chain
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CORE = TESTS.parent / "layers/core/batchyard"
FLOORS = [TESTS / "unit/batchyard", TESTS / "integration/batchyard"]
ROOMS = sorted(path.parent.name for path in CORE.glob("*/__init__.py"))


def modules(room: str) -> set[str]:
    return {path.stem for path in (CORE / room).glob("*.py")}


@pytest.mark.parametrize("room", ROOMS)
def test_a_test_of_a_room_begins_with_the_name_of_a_module_of_the_room(room: str) -> None:
    files = chain.from_iterable((floor / room).glob("test_*.py") for floor in FLOORS)
    names = {path.stem.removeprefix("test_") for path in files}
    assert names, "no tests"
    assert not [name for name in names if not any(f"{name}_".startswith(f"{module}_") for module in modules(room))]


@pytest.mark.parametrize("floor", FLOORS, ids=lambda path: path.parent.name)
def test_every_folder_of_a_floor_is_a_room(floor: Path) -> None:
    assert {path.name for path in floor.iterdir() if path.is_dir() and path.name != "__pycache__"} <= set(ROOMS)
