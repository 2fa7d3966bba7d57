"""The order of all tests: a floor that waits much is mixed with floors that reckon much, and the fast ones come last.

The files that last longest come first: each goes to one worker, and one that is begun late would end after all others.
"""

import gc
import signal
from collections.abc import Iterator
from itertools import chain, groupby, zip_longest
from pathlib import Path

import pytest

WAITS, RECKONS = ("system",), ("integration", "faults")
LONGEST = (
    "test_stopped_run.py", "test_run.py", "test_conformance.py", "test_providers.py", "test_crash.py", "test_stores.py",
    "test_schedule.py", "test_mends.py", "test_console.py", "test_batch.py", "test_permissions.py",
    "test_packing.py", "test_architecture.py", "test_names.py", "test_any_answer.py",
)  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Import and collect without the collector of cycles, and have it look later at what the tests make: all this stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the workers, which take one file after the other, have files that wait and files that reckon by turns."""
    files = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    files.sort(key=lambda file: LONGEST.index(file[0].path.name) if file[0].path.name in LONGEST else len(LONGEST))
    waiting, reckoning = ([file for file in files if _floor(file[0]) in floors] for floors in (WAITS, RECKONS))
    fast = [file for file in files if _floor(file[0]) not in {*WAITS, *RECKONS}]
    by_turns = chain.from_iterable(zip_longest(waiting, reckoning, fillvalue=[]))
    items[:] = chain.from_iterable([*by_turns, *fast])


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Undo what a program run in this process did to signals: programs that later tests start inherit what is ignored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _floor(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]
