"""The processes of the local stack: each is started, watched, and ended with everything that it started."""

import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import ROOT
from local.errors import ProcessEnded

_READY_SECONDS = 30.0
_GRACE_SECONDS = 2.0
_LOOK_SECONDS = 0.02


class Process:
    """Start and hold one process of the stack, `python -m MODULE ARGUMENT …`; it inherits the open `sockets`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        sockets: Sequence[int] = (),
    ) -> None:
        #: What messages call the process.
        self.name = name
        #: The file in `folder` with what the process wrote to standard error.
        self.log = folder / f"{name.replace(' ', '-')}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.stack.child_process", *command],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,  # stays open: the child ends when this process ends and closes the pipe
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=sockets,
                process_group=0,  # Ctrl-C reaches only the parent, which ends its processes in order
            )
        self._returncode: int | None = None
        # a thread waits: an exception of a signal, which comes in the main thread, would leave Popen's lock held for ever
        threading.Thread(target=self._watch, name=f"watch of {name}", daemon=True).start()

    def _watch(self) -> None:
        self._returncode = self._process.wait()

    def wait(self, seconds: float = math.inf) -> int | None:
        """Wait until the process has ended, and return its exit status; None if it has not ended within `seconds`."""
        deadline = time.monotonic() + seconds
        while self._returncode is None and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        return self._returncode

    @property
    def pid(self) -> int:
        """Return the id of the process, which is also the id of its process group."""
        return self._process.pid

    def check(self, wait_seconds: float = 0.0) -> None:
        """Raise ProcessEnded if the process has ended, or ends within `wait_seconds`."""
        status = self.wait(wait_seconds)
        if status is not None:
            raise ProcessEnded(f"The {self.name} ended by itself ({_ending(status)}). Its log: {self.log}")

    def read_ready_line(self) -> dict[str, str]:
        """Wait for the one JSON line that the process prints when it is ready, and return the object."""
        line = self._read_first_line()
        if not line:
            self.check(_GRACE_SECONDS)
        answer: dict[str, str] = json.loads(line)
        return answer

    def _read_first_line(self) -> bytes:
        stdout = self._process.stdout
        if stdout is None:
            raise ValueError("the process was started without a pipe")
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not selector.select(_READY_SECONDS):
                raise ProcessEnded(
                    f"The {self.name} was not ready after {_READY_SECONDS:.0f} seconds. Its log: {self.log}"
                )
        return stdout.readline()

    def end(self) -> None:
        """End the process and every process that it started, within seconds."""
        _signal_group(self.pid, signal.SIGTERM)
        self.wait(_GRACE_SECONDS)
        _signal_group(self.pid, signal.SIGKILL)  # the rest of the group: Lambda workers that are in a call
        self.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # no process of the group is left
        os.killpg(group, number)


def _ending(returncode: int) -> str:
    return f"exit status {returncode}" if returncode >= 0 else f"killed by {signal.Signals(-returncode).name}"
