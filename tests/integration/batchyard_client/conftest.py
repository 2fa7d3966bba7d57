from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.front_door import KEY, Books, front_door


@pytest.fixture
def books() -> Iterator[Books]:
    with front_door() as found:
        yield found


@pytest.fixture
def _here(books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder, before the front door."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BATCHYARD_URL", f"{books.address}/v1")
    monkeypatch.setenv("BATCHYARD_KEY", KEY)
