"""A process of the stack, and signals that come while it is looked at."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from local.errors import ProcessEnded
from local.stack.processes import Process


class Interrupted(Exception):  # noqa: N818 - it stands for a signal
    """A signal that came anywhere in the code."""


def interrupt(*_: object) -> None:
    raise Interrupted


def test_a_signal_during_a_look_leaves_a_process_that_can_be_ended(tmp_path: Path) -> None:
    process = Process("sleeper", ("local.stack.program", "sleep", "600"), tmp_path, os.environ)
    before = signal.signal(signal.SIGPROF, interrupt)
    try:
        for microseconds in range(1, 100):
            with contextlib.suppress(Interrupted):
                signal.setitimer(signal.ITIMER_PROF, microseconds / 1e6)
                while True:
                    process.check()
    finally:
        signal.signal(signal.SIGPROF, before)
    process.end()
    with pytest.raises(ProcessEnded, match="killed by SIG"):
        process.check()
