"""Many small files dropped at once into `make up`: until the last is a completed batch, and until Ctrl-C has cancelled all."""

import json
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
from boto3.dynamodb.conditions import Key

from tests.benchmarks.measure import MB
from tests.benchmarks.row import Row
from tests.system.processes import descendants, ledger, local, own_provider
from tests.system.running_stack import TENANT, RunningStack, jsonl, request

LINES = 20
SECONDS_A_FILE = 0.9
LONGEST = 1_800  # seconds a fleet may take
UPLOADS_AT_ONCE = 8
LOOK_SECONDS, COUNT_SECONDS = 0.5, 2.0
WORKER = b"_worker.py"  # the program of ministack that runs a function
FOR_EVER = "86400"  # seconds a provider batch takes that is to be cancelled
CANCEL_SECONDS = 15


def rows(*, full: bool, files: int) -> Iterator[Row]:
    """Tell how long a fleet takes and what it needs meanwhile, and how long Ctrl-C takes; `full`: five times as many files."""
    count = files * 5 if full else files
    with running() as (process, doors):
        stack, api, processes = RunningStack(doors), Api(doors), Processes(process.pid)
        with every(LOOK_SECONDS, api.look), every(LOOK_SECONDS, processes.look):
            seconds = until_completed(stack, count)
    made_of = f"median {statistics.median(api.took):.3f} s of {len(api.took)}"
    yield Row(f"fleet of {count} files: until all are completed", seconds, "s", SECONDS_A_FILE * count)
    yield Row("fleet: slowest answer of the API", max(api.took), "s", 1, made_of)
    yield Row("fleet: most worker processes", processes.workers, "")
    yield Row("fleet: most memory of all processes", processes.memory / MB, "MB")
    yield Row(f"fleet of {count} files: Ctrl-C", until_cancelled(count), "s", CANCEL_SECONDS)


@contextmanager
def running(**settings: str) -> Iterator[tuple[Popen[str], Mapping[str, str]]]:
    """Yield a stack's process and its doors."""
    with local("up", settings=settings) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def drop(stack: RunningStack, count: int) -> None:
    """Drop the files, as many at once as a client would."""
    body = jsonl(request(number) for number in range(LINES))
    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        list(pool.map(lambda number: stack.drop(f"{number}.jsonl", body), range(count)))


def until_completed(stack: RunningStack, count: int) -> float:
    """Drop the files, and return the seconds until all of them are completed batches."""
    began, before = time.monotonic(), completed(stack)
    drop(stack, count)
    while (done := completed(stack) - before) < count:
        if time.monotonic() - began > LONGEST:
            raise TimeoutError(f"{done} of {count} batches were completed after {LONGEST} s")
        time.sleep(COUNT_SECONDS)
    return time.monotonic() - began


def completed(stack: RunningStack) -> int:
    """Count the completed batches of the stack."""
    count, start = 0, dict[str, Any]()
    while True:
        wanted = Key("gsi1pk").eq(f"TENANT#{TENANT}")
        answer = stack.table.query(IndexName="by_tenant", KeyConditionExpression=wanted, **start)
        count += sum(item["status"] == "completed" for item in answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return count
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def until_cancelled(count: int) -> float:
    """Drop the files, stop the stack when half of them are at the user's own provider, and return the seconds of its end."""
    with own_provider("--seconds-per-batch", FOR_EVER) as own, running(**own) as (process, doors):
        drop(RunningStack(doors), count)
        while len(ledger(own)) < count // 2:
            time.sleep(LOOK_SECONDS)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(LONGEST)
        seconds = time.monotonic() - began
        left = [batch for batch in ledger(own) if batch["status"] not in ("cancelling", "cancelled")]
    if left:
        raise AssertionError(f"{len(left)} provider batches still run")
    return seconds


class Api:
    """Ask for the batches, and keep how long each answer took."""

    def __init__(self, doors: Mapping[str, str]) -> None:
        self._url = f"{doors['base_url']}/batches"
        headers = {"Authorization": f"Bearer {doors['api_key']}", "Connection": "close"}
        self._http = httpx.Client(timeout=LONGEST, headers=headers)
        self.took: list[float] = []

    def look(self) -> None:
        """Ask once; an answer that is not 200 raises."""
        began = time.monotonic()
        self._http.get(self._url).raise_for_status()
        self.took.append(time.monotonic() - began)


class Processes:
    """Look at a process and all that it started, and keep the most that was seen at once."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.workers = 0
        self.memory = 0

    def look(self) -> None:
        """Count the workers, and add up the memory of all processes; what they share counts once."""
        seen = [Path(f"/proc/{pid}") for pid in descendants(self._pid)]
        self.workers = max(self.workers, sum(WORKER in _read(path / "cmdline") for path in seen))
        self.memory = max(self.memory, sum(map(pss, seen)))


def pss(path: Path) -> int:
    """Return the bytes of memory of a process in /proc, by its share of what it shares; 0 if it has ended."""
    lines = (line.split() for line in _read(path / "smaps_rollup").splitlines())
    return next((int(size) * 1024 for name, size, *_ in lines if name == b"Pss:"), 0)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # the process has ended


@contextmanager
def every(seconds: float, look: Callable[[], None]) -> Iterator[None]:
    """Look again and again while the block runs, in a thread of its own."""
    over = threading.Event()

    def go_on() -> None:
        look()
        while not over.wait(seconds):
            look()

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(go_on)
        try:
            yield
        finally:
            over.set()
        looking.result()
