"""No unit test opens a socket: what needs one is an integration test.

Property tests are timed by the suite, not example by example: a busy machine is no failure.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import settings

settings.register_profile("batchyard", deadline=None, max_examples=60)
settings.load_profile("batchyard")

if TYPE_CHECKING:
    from collections.abc import Iterator

# A pair of these stands in a process without an address: asyncio wakes its loop by one.
WITHIN_A_PROCESS: Final = getattr(socket, "AF_UNIX", None)
CREATED: Final = "socket.__new__"  # of Python's table of audit events
_opened: list[int] = []


def _see(event: str, arguments: tuple[Any, ...]) -> None:
    if event == CREATED and arguments[1] != WITHIN_A_PROCESS:
        _opened.append(arguments[1])


sys.addaudithook(_see)  # it sees the sockets of every library and thread, and cannot be taken off again


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget the sockets of tests from other floors that ran before in this process."""
    _opened.clear()


@pytest.fixture(autouse=True)
def no_socket() -> Iterator[None]:
    """Fail a test that opened a socket, or whose fixtures did, even if the socket led nowhere and nobody noticed."""
    yield
    opened = len(_opened)
    assert not opened, "a unit test opened a socket: it belongs to tests/integration"
