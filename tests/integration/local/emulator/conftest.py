from collections.abc import Iterator

import pytest

from tests.integration.local.emulator.running import Emulator, started


@pytest.fixture(scope="package")
def shared() -> Iterator[Emulator]:
    with started("--seconds-per-batch", "0.05") as emulator:
        yield emulator


@pytest.fixture
def emulator(shared: Emulator) -> Emulator:
    """An emulator that orders nothing yet; other tests have used it before."""
    shared.play()
    return shared


@pytest.fixture
def fresh() -> Iterator[Emulator]:
    """An emulator of the test's own, whose first batch has ordinal 1."""
    with started("--seconds-per-batch", "0.05") as emulator:
        yield emulator
