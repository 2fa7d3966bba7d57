"""Run one job and print its cost as JSON: `python -m tests.benchmarks.job <depth> <module> <function> <arguments…>`.

The function prepares, unmeasured, and returns what is to be measured; that may return seconds of CPU that are not its own.
"""

import gc
import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
FORGET_PEAK = "5"  # see proc(5)


def held(name: str) -> int:
    """Read `VmRSS` (now) or `VmHWM` (the most so far) in bytes; where there is no /proc, the most so far."""
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def deeper(calls: int, work: Callable[[], float | None]) -> float | None:
    """Work below so many more calls: where CPython's stack needs a new chunk depends on it, see `measure.interleaved`."""
    return deeper(calls - 1, work) if calls else work()


def main(depth: str, module: str, function: str, *arguments: str) -> None:
    """Prepare the job, then do it and count."""
    work = getattr(importlib.import_module(f"tests.benchmarks.{module}"), function)(*arguments)
    gc.collect()
    if CLEAR.exists():
        CLEAR.write_text(FORGET_PEAK)  # a peak outlives exec: it may be another program's
    idle, start = held("VmRSS"), time.process_time()
    others = deeper(int(depth), work) or 0.0
    cpu = time.process_time() - start - others
    sys.stdout.write(json.dumps({"cpu": cpu, "memory": held("VmHWM") - idle}))


if __name__ == "__main__":
    main(*sys.argv[1:])
