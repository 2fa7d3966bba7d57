"""The order of all tests: slow floors begin first, so that no worker is left with a long file at the end."""

from pathlib import Path

import pytest

SLOWEST_FIRST = ("system", "integration", "faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by their floor; within a floor they stay as they are."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    floor = item.path.relative_to(Path(__file__).parent).parts[0]
    return SLOWEST_FIRST.index(floor) if floor in SLOWEST_FIRST else len(SLOWEST_FIRST)
