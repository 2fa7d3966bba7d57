"""Measure a job in a process of its own: CPU seconds, and memory over what the process held before it began."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.inputs import CACHE

PATH = os.pathsep.join((".", "layers/client", "layers/core"))
LONGEST = 900  # seconds a job may take
CALLS_IN_A_CHUNK = 150  # of `job.deeper`
MB = 1_000_000


@dataclass(frozen=True)
class Cost:
    """What a job took: seconds of CPU, and the most bytes it held over its idle process."""

    cpu: float
    memory: int


@dataclass(frozen=True)
class Job:
    """`function` of `tests.benchmarks.<module>`, with these arguments; see `tests.benchmarks.job`."""

    module: str
    function: str
    arguments: Sequence[str] = ()


def environment() -> dict[str, str]:
    """Give children compiled modules, as on Lambda, whatever the shell says; and the same hashes each time."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    compiled = str(Path(CACHE, "compiled").resolve())
    return {**kept, "PYTHONPATH": PATH, "PYTHONPYCACHEPREFIX": compiled, "PYTHONHASHSEED": "0"}


def run(job: Job, depth: int = 0) -> Cost:
    """Run a job once in a fresh process, below so many calls."""
    command = [sys.executable, "-m", "tests.benchmarks.job", str(depth), job.module, job.function, *job.arguments]
    done = subprocess.run(  # noqa: S603 - our own modules
        command, env=environment(), stdout=subprocess.PIPE, check=True, timeout=LONGEST
    )
    return Cost(**json.loads(done.stdout.splitlines()[-1]))  # what is logged comes before


def interleaved(jobs: Mapping[str, Job], repeats: int) -> dict[str, Cost]:
    """Run the jobs in turn, again and again, each time at another depth, and return the medians of each.

    CPython maps a chunk of its stack (16 KiB) when a call needs one, and unmaps the chunk when that call returns. A loop or an
    import that works at the end of a chunk does so hundreds of times; whether one does is chance, so all depths have a turn.
    """
    seen: dict[str, list[Cost]] = {name: [] for name in jobs}
    for turn in range(repeats):
        for name, job in jobs.items():
            seen[name].append(run(job, CALLS_IN_A_CHUNK * turn // repeats))
    return {name: _median(costs) for name, costs in seen.items()}


def _median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(cost.cpu for cost in costs), int(statistics.median(cost.memory for cost in costs)))
