"""Importing the client, against importing only what it stands on; both compiled, as on Lambda."""

from collections.abc import Iterator

from tests.benchmarks.measure import Job, interleaved, run
from tests.benchmarks.row import Row

REPEATS = 15
JOBS = {
    "ours": ["batch_client"],
    "floor": ["requests", "msgspec"],
    "openai": ["openai"],
}


def rows(*, full: bool) -> Iterator[Row]:
    """Compare; a first import compiles and is not counted."""
    jobs = {name: Job("imported", "modules", names) for name, names in JOBS.items()}
    for job in jobs.values():
        run(job)
    found = interleaved(jobs, 2 * REPEATS if full else REPEATS)
    yield Row.ratio("import batch_client: CPU / import requests, msgspec", found["ours"], found["floor"], 1.1)
    yield Row.ratio("import openai: the same", found["openai"], found["floor"])
