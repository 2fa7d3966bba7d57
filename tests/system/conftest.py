from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.processes import up
from tests.system.running_stack import RunningStack, jsonl, request


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """One whole stack for all tests of this folder; it sweeps its inbox as often as a schedule allows."""
    with up(BATCHYARD_SWEEP_SCHEDULE="rate(1 minute)") as doors:
        yield RunningStack(doors)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An input of five requests."""
    path = tmp_path / "my requests +100%.jsonl"
    path.write_bytes(jsonl(request(number) for number in range(5)))
    return path
