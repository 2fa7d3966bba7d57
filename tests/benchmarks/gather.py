"""Small files of a gather folder in `make up`: from RUN to the results of each file, and against files in the inbox."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from batchyard.gathering.fire import id_of
from tests.benchmarks.fleet import LINES, LONGEST, UPLOADS_AT_ONCE, WORKER, every, pss, running, until_completed
from tests.benchmarks.measure import MB
from tests.benchmarks.row import Row
from tests.system.processes import descendants, eventually
from tests.system.running_stack import TENANT, RunningStack, jsonl, request

SECONDS_A_FILE: Final = 0.12  # 1,000 files in two minutes
SHORTEST: Final = 30.0  # seconds that a batch of any size may take: it waits for its provider batch
PART: Final = 10  # memory is compared with a folder of so many times fewer files
SINGLE: Final = 25  # and time with the inbox, for so many times fewer
LOOK_SECONDS: Final = 0.5
ALONE: Final = 3  # files whose results are compared with those of a batch of their own
FLAT: Final = 1.5  # times the memory of a folder with a tenth of the files
#: What differs from run to run in a line of a result: the ids of the answer and of the request, and when it was made.
PASSING: Final = re.compile(rb'"(id|request_id|created|system_fingerprint)": ?("[^"]*"|\d+)')


@dataclass(frozen=True)
class Gathered:
    """What became of a folder: its batch, the seconds from RUN to its end, the calls to the provider, and memory in bytes."""

    batch_id: str
    files: dict[str, bytes]
    seconds: float
    calls: int
    memory: int


def rows(*, full: bool, files: int) -> Iterator[Row]:
    """Tell what a folder of so many files takes, against a smaller one and the inbox; `full`: five times as many files."""
    count = files * 5 if full else files
    with running() as (process, doors):
        stack, workers = RunningStack(doors), Workers(process.pid)
        few = gather(stack, workers, "few", max(1, count // PART))
        many = gather(stack, workers, "many", count)
        title = f"gather of {count} files"
        yield Row(f"{title}: from RUN to the end", many.seconds, "s", max(SHORTEST, SECONDS_A_FILE * count))
        yield Row(f"{title}: provider batches", len(stack.provider_batches(many.batch_id)), "", 1)
        yield Row(f"{title}: files without a pair of results", count - pairs(stack, many), "", 0)
        yield Row(
            f"{title}: results that are not those of a run alone", sum(unlike(stack, many)), "", 0, f"of {ALONE} files"
        )
        made_of = f"{many.memory / MB:.0f} MB / {few.memory / MB:.0f} MB"
        yield Row(
            f"{title}: memory of the largest function / {len(few.files)} files",
            many.memory / few.memory,
            "x",
            FLAT,
            made_of,
        )
        yield from against_single(stack, workers, max(2, count // SINGLE))


def gather(stack: RunningStack, workers: "Workers", folder: str, count: int) -> Gathered:
    """Put files into a folder, each with the same custom_ids, fire it, and wait for the end of its batch."""
    files = {
        f"{at:05}.jsonl": jsonl(request(at * LINES + line) | own(line) for line in range(LINES)) for at in range(count)
    }
    s3, bucket, place = stack.clients.s3, stack.doors["bucket"], f"gather/{TENANT}/{folder}/"
    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        list(pool.map(lambda name: s3.put_object(Bucket=bucket, Key=place + name, Body=files[name]), files))
    before, began = emulator(stack, "calls"), time.monotonic()
    with workers.watched():
        version = s3.put_object(Bucket=bucket, Key=f"{place}RUN", Body=b"")["VersionId"]
        batch_id = id_of(TENANT, folder, f"RUN {version}")
        eventually(lambda: "Item" in stack.table.get_item(Key={"pk": f"BATCH#{batch_id}", "sk": "BATCH"}), LONGEST)
        ended = stack.ended(batch_id, LONGEST)
    seconds = time.monotonic() - began
    if (ended.status, ended.completed, ended.failed) != ("completed", count * LINES, 0):
        raise AssertionError(f"{batch_id} has ended as {ended}")
    return Gathered(batch_id, files, seconds, emulator(stack, "calls") - before, workers.largest)


def own(line: int) -> dict[str, Any]:
    """Name a line as each other file does."""
    return {"custom_id": f"line-{line}"}


def pairs(stack: RunningStack, gathered: Gathered) -> int:
    """Count the files that have an output and errors of their own."""
    place = f"results/{TENANT}/{gathered.batch_id}/files/"
    pages = stack.clients.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.doors["bucket"], Prefix=place)
    there = {each["Key"].removeprefix(place) for page in pages for each in page.get("Contents", ())}
    return sum({f"{name}/output.jsonl", f"{name}/errors.jsonl"} <= there for name in gathered.files)


def unlike(stack: RunningStack, gathered: Gathered) -> Iterator[bool]:
    """Run some files as batches of their own, and tell of each whether its results differ by more than ids and times."""
    for name in sorted(gathered.files)[:: max(1, len(gathered.files) // ALONE)][:ALONE]:
        alone = stack.run(f"alone-{name}", gathered.files[name])
        yield results(stack, f"{gathered.batch_id}/files/{name}") != results(stack, alone.batch_id)


def results(stack: RunningStack, place: str) -> list[bytes]:
    """Read both results below a place, without what differs from run to run."""
    keys = [f"results/{TENANT}/{place}/{result}" for result in ("output.jsonl", "errors.jsonl")]
    bodies = [stack.clients.s3.get_object(Bucket=stack.doors["bucket"], Key=key)["Body"].read() for key in keys]
    return [PASSING.sub(rb'"\1":', body) for body in bodies]


def against_single(stack: RunningStack, workers: "Workers", count: int) -> Iterator[Row]:
    """Compare a folder with as many files that are dropped into the inbox at once: seconds, and calls to the provider."""
    known, before = emulator(stack, "ledger?lines=false"), emulator(stack, "calls")
    single = until_completed(stack, count)
    batches, asked = emulator(stack, "ledger?lines=false") - known, emulator(stack, "calls") - before
    gathered = gather(stack, workers, "single", count)
    title = f"gather of {count} files / {count} batches"
    yield Row(f"{title}: seconds", gathered.seconds / single, "x", 1, f"{gathered.seconds:.1f} s / {single:.1f} s")
    yield Row(f"{title}: calls to the provider", gathered.calls / asked, "x", 1, f"{gathered.calls} / {asked}")
    yield Row(f"{title}: provider batches", 1 / batches, "x", 1 / count, f"1 / {batches}")


def emulator(stack: RunningStack, what: str) -> int:
    """Count the calls that the provider has had, or the batches."""
    url = f"{stack.doors['provider_url'].removesuffix('/v1')}/_emulator/{what}"
    return len(httpx.get(url, timeout=60).json()["data"])


class Workers:
    """The processes of the functions of a stack, and the most memory that one of them had while it was watched."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.largest = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch them while the block runs; what was seen before is forgotten."""
        self.largest = 0
        with every(LOOK_SECONDS, self._look):
            yield
        self._look()

    def _look(self) -> None:
        seen = [Path(f"/proc/{pid}") for pid in descendants(self._pid)]
        self.largest = max([self.largest, *(pss(path) for path in seen if is_worker(path))])


def is_worker(path: Path) -> bool:
    """Tell whether a process runs a function."""
    try:
        return WORKER in (path / "cmdline").read_bytes()
    except OSError:
        return False  # it has ended
