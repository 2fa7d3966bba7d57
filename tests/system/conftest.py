from collections.abc import Iterator

import pytest

from tests.system.processes import up
from tests.system.running_stack import RunningStack


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """One whole stack for all tests of this folder; it sweeps its inbox as often as a schedule allows."""
    with up(BATCHYARD_SWEEP_SCHEDULE="rate(1 minute)") as doors:
        yield RunningStack(doors)
