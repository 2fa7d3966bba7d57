"""Planning a file, against a loop that only calls `json.loads` on each of its lines."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from batchyard.planning.plan import plan
from tests.benchmarks import inputs
from tests.benchmarks.disk import BATCH_ID, DiskServices
from tests.benchmarks.measure import MB, Job, interleaved, run
from tests.benchmarks.row import Row

GB = 1_000 * MB
MOST_TURNS = 10_000


def ours(path: str) -> Callable[[], None]:
    """Prepare the whole Plan step over a local file."""
    return _planning(path, "run")


def refusing(path: str) -> Callable[[], None]:
    """Prepare the same over a file that is refused."""
    return _planning(path, "refused")


def _planning(path: str, wanted: str) -> Callable[[], None]:
    room = tempfile.TemporaryDirectory()
    services = DiskServices(Path(room.name), Path(path))

    def work() -> None:
        following = next(step for step in (plan(services, BATCH_ID).next for _ in range(MOST_TURNS)) if step != "plan")
        found = services.batch_store.batch(BATCH_ID)
        if following != wanted or not (found.counts.total or found.errors_total):
            raise AssertionError(f"the plan of the file was {following}: {found.errors[:1]}")
        room.cleanup()

    return work


def json_loop(path: str) -> Callable[[], None]:
    """Prepare the baseline."""

    def work() -> None:
        with Path(path).open("rb") as file:
            for line in file:
                json.loads(line)

    return work


def rows(*, full: bool) -> Iterator[Row]:
    """Compare on 200 MB; with `full`, measure the memory at 1 GB and at 5 M lines too."""
    mixed, small = (inputs.chat(200 * MB, lengths, lengths.__name__) for lengths in (inputs.mixed, inputs.small))
    for title, path, most in (
        ("300 B - 20 kB", mixed, 0.45),
        ("600 B", small, 0.30),
        ("600 B, ids in no order", inputs.unordered(small), None),
    ):
        jobs = {"ours": Job("plan", "ours", [str(path)]), "loop": Job("plan", "json_loop", [str(path)])}
        found = interleaved(jobs, 5)
        yield Row.ratio(f"plan 200 MB, lines of {title}: CPU / json.loads", found["ours"], found["loop"], most)
        yield Row.memory(f"plan 200 MB, lines of {title}: memory", found["ours"])
    if full:
        yield _memory("plan 1 GB, lines of 300 B - 20 kB: memory", inputs.chat(GB, inputs.mixed, "mixed"), 80)
        yield _memory("plan 5 M lines: memory", inputs.chat(1_350 * MB, inputs.shortest, "shortest"), 160)
        halves = inputs.doubled(inputs.chat(675 * MB, inputs.shortest, "shortest"))
        yield _memory("plan 5 M lines, each custom_id twice: memory", halves, 160, "refusing")


def _memory(title: str, path: Path, most: int, function: str = "ours") -> Row:
    return Row.memory(title, run(Job("plan", function, [str(path)])), most * MB)
