"""Plays about one gather folder: files come, are replaced and go, whoever can fire it does, and batches are cancelled.

At the end each file is held against the batches that have it, and its results against those of a batch of that file alone.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from batchyard.adapters.bucket import CHUNK
from batchyard.api.batches import cancel_batch, create_batch, of_schedule, retry_batch
from batchyard.domain.errors import ApiError, NotFound
from batchyard.domain.numbers import HOUR
from batchyard.gathering import fire
from batchyard.schedules import firing as schedule_firing
from batchyard.schedules import requests
from batchyard.schedules.trigger import trigger
from tests.fakes.batches import NOW
from tests.fakes.bucket import MemoryBucket
from tests.fakes.budgets import give, spend
from tests.fakes.lines import jsonl, request
from tests.faults.checker import Case
from tests.faults.gathered import FOLDER, RUN, GatherWorld, NamedProvider
from tests.faults.inputs import AGAIN, BAD
from tests.faults.strikes import Strike, Struck
from tests.faults.struck import KEY, StruckWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchyard.adapters.stores.schedule_record import Schedule
    from batchyard.domain.batch import Batch, InputObject
    from tests.faults.provider import Fate

RESULTS: Final = ("output.jsonl", "errors.jsonl")
PRICED: Final[dict[str, Any]] = {"price_list": '{"m-1": {"input": 1, "output": 1}}'}
ENOUGH: Final = 1_000_000  # dollars
ROUNDS: Final = 40  # hours after which no firing waits any more
#: Files without a request: one that is packed, and one of no bytes.
UNUSABLE: Final = {"packed": b"\x1f\x8b\x08 of no use", "empty": b""}
#: What becomes of a line that is run, by its prompt.
LOTS: Final = ("good", "good", "good", "refused", "unavailable", "mangled")
ENDPOINT: Final = "*"  # as for an upload
KINDS: Final = ("good", *BAD, AGAIN, *UNUSABLE)


class File(NamedTuple):
    """A version of a file: its bytes, the number of each request by its custom_id, and its bad line, if it has one."""

    data: bytes
    numbers: dict[str, int]
    bad: tuple[int, str, str | None] | None = None

    @property
    def lines(self) -> int:
        return len(self.numbers) + (self.bad is not None)


def file_of(name: str, version: str, lines: int, kind: str) -> File:
    """Make a file whose prompts no other file has; a bad line stands behind its first request."""
    if kind in UNUSABLE:
        return File(UNUSABLE[kind], {})
    ids = [f"{name}.{version}-{at}" for at in range(lines)]
    rows = [jsonl([request(each)]) for each in ids]
    if kind == "good":
        return File(b"".join(rows), {each: at for at, each in enumerate(ids, 1)})
    row, code, known = BAD.get(kind, (rows[0], "duplicate_custom_id", ids[0]))
    numbers = {each: at + (at > 1) for at, each in enumerate(ids, 1)}
    return File(b"".join([rows[0], row, *rows[1:]]), numbers, (2, code, known))


class VersionedBucket(MemoryBucket):
    """A bucket that keeps the earlier versions of the objects of gather folders, as S3 does until they expire."""

    def add(self, key: str, data: bytes, at: float, metadata: dict[str, str] | None = None) -> str:
        """Put a version of an object, and name the version."""
        version = f"v{1 + self._count(key)}"
        self.kept[key, version] = data, metadata or {}
        self.arrived[key] = at
        self.put(key, data)
        return version

    @property
    def kept(self) -> dict[tuple[str, str], tuple[bytes, dict[str, str]]]:
        """Return bytes and metadata of each version."""
        found: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = self.__dict__.setdefault("_kept", {})
        return found

    def _count(self, key: str) -> int:
        return sum(known == key for known, _ in self.kept)

    def head(self, key: str, version_id: str | None = None) -> tuple[InputObject, dict[str, str]]:
        found, _ = super().head(key, version_id or f"v{self._count(key)}")
        if not key.startswith("gather/"):
            return super().head(key, version_id)
        if (key, found.version_id) not in self.kept:
            raise NotFound(key)
        return found, self.kept[key, found.version_id or ""][1]

    def chunks(
        self, source: InputObject, start: int = 0, stop: int | None = None, size: int = CHUNK
    ) -> Iterator[bytes]:
        data, _ = self.kept.get((source.key, source.version_id or ""), (None, {}))
        if data is None:
            yield from super().chunks(source, start, stop, size)
        else:
            yield data[start:stop]


class SteadyProvider(NamedProvider):
    """A provider that answers a line alike whenever the line is sent: what becomes of it follows from its prompt."""

    def _input(self, file_id: str, fate: Fate) -> tuple[Fate, list[str], int, str]:
        fate, custom_ids, _, model = super()._input(file_id, fate)
        sorts = {each: LOTS[crc32(each.encode()) % len(LOTS)] for each in custom_ids}
        return dataclasses.replace(fate, lines=sorts), custom_ids, 0, model  # the same usage whichever lines go along


class PlayWorld(GatherWorld):
    """A world with a gather folder that is fired by RUN, by requests and perhaps by a schedule."""

    def __init__(self, schedule: dict[str, Any] | None = None, shard: int = 5) -> None:
        super().__init__(**PRICED, max_requests_per_shard=shard)
        self.provider.__class__ = SteadyProvider
        self.bucket = self.memory.bucket
        self.bucket.__class__ = VersionedBucket
        assert isinstance(self.bucket, VersionedBucket)
        self.bucket.page = 2  # a listing looks at its clock between two
        for name in ("schedule_store", "schedule_clock", "trigger_function"):
            setattr(self.services, name, Struck(getattr(self.memory, name), self.strikes))
        self.files: dict[tuple[str, str], File] = {}
        self.asked = 0
        #: what has happened in this play
        self.seen: set[str] = set()
        self.schedule_id = self._schedule(schedule) if schedule is not None else None

    def _schedule(self, members: dict[str, Any]) -> str:
        body = {
            "name": "play",
            "schedule": "rate(1 hour)",
            "input": {"prefix": FOLDER},
            "endpoint": ENDPOINT,
            **members,
        }
        return str(requests.create_schedule(self.memory, "default", body, of_schedule, "play")["id"])

    # what may happen

    def arrive(self, name: str, lines: int, kind: str) -> None:
        """Let a file come, or a new version of one that is there."""
        bucket, key = self._versioned, FOLDER + name
        self.seen |= {"replaced"} if key in bucket.stored else set()
        version = f"v{1 + sum(known == name for known, _ in self.files)}"
        self.files[name, version] = file_of(name, version, lines, kind)
        assert bucket.add(key, self.files[name, version].data, self.clock.now) == version

    def remove(self, choice: int) -> None:
        """Delete a file, if there is one; S3 keeps the version that was gathered."""
        there = sorted({name for name, _ in self.files if FOLDER + name in self.bucket.stored})
        if there:
            del self.bucket.stored[FOLDER + there[choice % len(there)]]
            self.seen.add("deleted")

    def put_run(self, on_invalid: str) -> str:
        """Put a RUN, of which nobody hears yet, and name its version."""
        return self._versioned.add(RUN, b"", self.clock.now, {"on-invalid": on_invalid})

    def hear(self, version: str) -> None:  # type: ignore[override]  # a RUN is heard here, not the provider
        """Take the event of a RUN."""
        self.heard(int(version[1:]))

    def ask(self, on_invalid: str, key: str) -> None:
        """Fire by a request."""
        body = {"input_prefix": FOLDER, "endpoint": ENDPOINT, "completion_window": "24h", "on_invalid": on_invalid}
        with suppress(ApiError):  # there is nothing to gather, or the budget is spent
            create_batch(self.services, "default", body, key)

    def means(self, by: str, on_invalid: str) -> Callable[[], None]:
        """Return what fires the folder by a RUN, a request or the clock; to call it again is the same event again."""
        if by == "RUN":
            version = self.put_run(on_invalid)
            return lambda: self.hear(version)
        if by == "request":
            self.asked += 1
            key = f"asked {self.asked}"
            return lambda: self.ask(on_invalid, key)
        return self.tick

    def tick(self, late: int = 0) -> None:
        """Let the clock tell of the time that is due, or of one so many times before."""
        if self.schedule_id is None:
            return
        schedule = self._kept_schedule()
        due = schedule_firing.latest_due(schedule, self.clock.now)
        if due is None:
            due = self.clock.now = NOW + HOUR
        at = datetime.fromtimestamp(max(NOW + HOUR, due - late * HOUR), UTC).isoformat()
        trigger(self.services, {"tenant": "default", "schedule_id": self.schedule_id, "scheduled_at": at})

    def at_once(self, first: Callable[[], None], second: Callable[[], None], at: int) -> None:
        """Let one fire while another does, at an effect of the other."""

        def call() -> None:
            self.strikes.step = second
            first()

        self.strikes.due = Strike("overtake", at, sure=False)
        self.machine.once(call)
        self.seen |= {"at once"} if self.strikes.due is None else set()
        self.seen |= {"at once, amid claims"} if self.strikes.struck[-1:] == ["overtake before claim"] else set()
        self.strikes.due = None

    def short_of_time(self, call: Callable[[], None], looks: int) -> None:
        """Let somebody fire who has no more time after so many looks at the clock; the sweep has it taken up."""
        usual, self.looks = self.looks, looks
        self.machine.once(call)
        self.looks = usual
        parts = [each for each in self.memory.gather_store.open_firings() if each.reached is not None]
        self.seen |= {"listed in parts"} if parts else set()

    def spent(self, call: Callable[[], None]) -> None:
        """Let somebody fire while the budget is spent; it is raised after that."""
        give(self.memory, 1)
        spend(self.memory, 2)
        call()
        give(self.memory, ENOUGH)

    def retry_void(self, choice: int) -> None:
        """Ask for a retry of a batch that sent nothing, whose files are free: there is none, or they would be paid twice."""
        void = [each for each in self.of_folder() if is_void(each)]
        if void:
            with suppress(ApiError):
                retry_batch(self.memory, "default", void[choice % len(void)].batch_id, {"lines": "all"}, "void")
                self.provider.wrongs.append("a batch whose files are free is retried")
            self.seen.add("retry refused")

    def retry_errors(self, lines: str) -> None:
        """Retry the last batch that ran, when all have ended."""
        self.to_the_end()
        if not self.open() and self.retry(lines) is not None:
            self.seen.add("retried")

    def stop_a_batch(self, choice: int) -> None:
        """Cancel a batch of the folder as its user does, and perhaps lose the race."""
        running = [each for each in self.of_folder() if not each.ended]
        if running:
            batch = running[choice % len(running)]
            with suppress(ApiError):
                self.machine.deliver(lambda: cancel_batch(self.services, "default", batch.batch_id))

    def turn(self, choice: int, turns: int) -> None:
        """Play some states of all executions."""
        for _ in range(turns):
            for execution in self.machine.running:
                self.machine.turn(execution, choice)

    def sweep(self) -> None:
        """Let the schedule of the sweep come, and the functions run that it invokes."""
        super().sweep()
        asked = self.memory.trigger_function.invoked
        while asked:
            told = asked.pop(0)
            self.machine.once(lambda told=told: trigger(self.services, told))  # type: ignore[misc]

    def sweep_for(self, version: str) -> None:
        """Sweep, and note whether a RUN of which nobody heard was found."""
        before = {*self.memory.batch_store.batches}
        self.sweep()
        found = fire.id_of("default", "f", f"RUN {version}")
        self.seen |= {"caught up"} if found in {*self.memory.batch_store.batches} - before else set()

    def to_the_end(self) -> None:
        """Play everything that runs to its end; what is due to be struck is struck."""
        self.note()
        self.finish(calm=False)
        self.note()

    # the end

    def close(self) -> list[str]:
        """Play all to its end, let a last RUN take what is left, and list the promises that were broken."""
        self.strikes.due = None
        self.arrive("last", 2, "good")
        self._settle()
        if self.schedule_id is not None:
            self.seen |= self._said()
            requests.delete_schedule(self.memory, "default", self.schedule_id)
        self.arrive("end", 1, "good")
        version = self.put_run("skip")
        self.machine.deliver(lambda: self.hear(version))
        self._settle()
        self._look_back()
        left = [f"the firing {firing.key} is left open" for firing in self.memory.gather_store.open_firings()]
        if fire.id_of("default", "f", f"RUN {version}") not in {each.batch_id for each in self.of_folder()}:
            left.append("the last RUN has made no batch")
        return [*self.wrongs(), *left, *self._once(), *self._apart()]

    def _settle(self) -> None:
        """Play until nothing runs, and the firing that waits now waits no more."""
        first = self._waits()
        for _ in range(ROUNDS):
            self.to_the_end()
            if not (self.open() or any(self.memory.gather_store.open_firings())) and self._waits() != (first or ""):
                return
            self.clock.now += HOUR
        raise AssertionError(f"a firing waits for ever: {self.memory.schedule_store.known}")

    def _waits(self) -> str | None:
        return None if self.schedule_id is None else self._kept_schedule().open

    def note(self) -> None:
        """Make a case for the checker of each new batch of the folder; a retry has made its own."""
        known = {case.batch_id for case in self.cases}
        self.cases += [self._case(each) for each in self.of_folder() if each.batch_id not in known]

    def _case(self, batch: Batch) -> Case:
        """Say what is in the batch, by numbers of the whole input: lines are counted on from file to file."""
        numbers, skipped = dict[str, int](), list[tuple[int, str, str | None]]()
        for start, file in zip(self.starts(batch), self._files(batch), strict=True):
            numbers |= {each: start + at for each, at in file.numbers.items()}
            skipped += [(start + file.bad[0], *file.bad[1:])] if file.bad else []
        return Case(batch.batch_id, numbers, (KEY,), tuple(skipped))

    def starts(self, batch: Batch) -> list[int]:
        """Return how many lines stand in the files before each file."""
        return [*accumulate((file.lines for file in self._files(batch)), initial=0)][:-1]

    def _files(self, batch: Batch) -> list[File]:
        return [self.files[version] for version in self.versions(batch)]

    def versions(self, batch: Batch) -> list[tuple[str, str]]:
        """Name the versions of files that a batch has, in their order."""
        return [(file.name, file.version_id or "") for file in self.bucket.file_list(batch.input).files]

    def of_folder(self, *, retries: bool = False) -> list[Batch]:
        """List the batches of the folder that have files."""
        every = self.memory.batch_store.batches.values()
        return [each for each in every if each.gathered and (retries or each.retry_of is None)]

    def evidence(self) -> ByWhole:
        return ByWhole(self)

    def _once(self) -> list[str]:
        """Each file is in one batch that was sent, once; a version that was replaced or deleted may be in none."""
        times = Counter(version for batch in self.of_folder() if not is_void(batch) for version in self.versions(batch))
        found = [f"{name} {version} is in {count} batches" for (name, version), count in times.items() if count > 1]
        newest = {name: version for name, version in self.files if FOLDER + name in self.bucket.stored}
        left = [each for each in newest.items() if not times[each]]
        return found + [f"{name} {version} is in no batch" for name, version in left]

    def _apart(self) -> list[str]:
        """Each file has its own results, which are those of a batch of that file alone, and counts that add up."""
        return [wrong for batch in self.of_folder(retries=True) if self._ran(batch) for wrong in self._of_batch(batch)]

    def _ran(self, batch: Batch) -> bool:
        return batch.in_progress_at is not None and (self.found(_place(batch) + "report.json") is not None)

    def _of_batch(self, batch: Batch) -> Iterator[str]:
        place, versions = _place(batch), self.versions(batch)
        told = {name: tuple(self.found(f"{place}files/{name}/{result}") for result in RESULTS) for name, _ in versions}
        for at, result in enumerate(RESULTS):
            if b"".join(each[at] or b"?" for each in told.values() if each[at] != b"") != self.found(place + result):
                yield f"the files of {batch.batch_id} have not what its {result} has"
        report = json.loads(self.found(place + "report.json") or b"")
        yield from self._counted(batch, report)
        whole = batch.status == "completed" and not batch.drain_reason and not self.machine.failed_shards
        for name, version in versions:
            mine = tuple(_plain(each or b"", name) for each in told[name])
            alone = run_alone(self.files[name, version].data)
            if whole and mine != alone:
                yield f"{name} {version} has {mine} in {batch.batch_id}, alone {alone}"
            elif not whole and not _is_part(mine, alone):
                yield f"{name} {version} has {mine} in {batch.batch_id}, which stopped, alone {alone}"

    def _counted(self, batch: Batch, report: dict[str, Any]) -> Iterator[str]:
        """The counts of the files are those of their lines, and their sums those of the batch."""
        shown = [(each["file"], each["lines"], each["completed"] + each["failed"]) for each in report["files"]]
        due = [
            (name, file.lines, file.lines)
            for (name, _), file in zip(self.versions(batch), self._files(batch), strict=True)
        ]
        if shown != due:
            yield f"the files of {batch.batch_id} count {shown} instead of {due}"
        counts = sum(each["completed"] for each in report["files"]), sum(each[2] for each in shown)
        if counts != (batch.counts.completed, batch.counts.total):
            yield f"the files of {batch.batch_id} count {counts}, the batch {batch.counts}"

    def _look_back(self) -> None:
        """Note what has happened, so that the plays together can tell whether each thing has."""
        for batch in self.of_folder():
            codes = {error.code for error in batch.errors or ()}
            self.seen |= {"struck"} if self.strikes.struck else set()
            self.seen |= {"several shards"} if batch.in_progress_at and len(self.provider.made) > 1 else set()
            if is_void(batch):
                self.seen.add({"cancelled": "cancelled before it began"}.get(batch.status, "refused"))
                self.seen |= {"refused for money"} if "budget_exceeded" in " ".join(codes) else set()
            elif batch.status == "cancelled":
                self.seen.add("cancelled while it ran")
            self.seen |= {"set aside"} if not is_void(batch) and any(not f.lines for f in self._files(batch)) else set()

    def _said(self) -> set[str]:
        """Tell what became of the firings of the schedule."""
        fired = self.memory.schedule_store.fired.values()
        waited = {"schedule: hours"} if self._kept_schedule().hours and len(fired) > 1 else set()
        return (
            waited
            | {f"schedule: {_reason(each.reason)}" for each in fired}
            | {"schedule: early" for each in fired if each.key.endswith("early")}
        )

    def _kept_schedule(self) -> Schedule:
        assert self.schedule_id is not None
        return self.memory.schedule_store.known[self.schedule_id]

    @property
    def _versioned(self) -> VersionedBucket:
        assert isinstance(self.bucket, VersionedBucket)
        return self.bucket


class ByWhole:
    """The evidence of a world in which a bad line is named by its number in the whole input, not in its file."""

    def __init__(self, world: PlayWorld) -> None:
        self._world = world

    def found(self, key: str) -> bytes | None:
        data = self._world.found(key)
        owner = re.fullmatch(r"results/default/([^/]+)/errors\.jsonl", key)
        batch = self._world.memory.batch_store.batches[owner[1]] if owner else None
        if not data or batch is None or not batch.gathered:
            return data
        names = [name for name, _ in self._world.versions(batch)]
        starts = dict(zip(names, self._world.starts(batch), strict=True))
        return b"".join(_numbered(line, starts) for line in data.splitlines(keepends=True))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


def _numbered(line: bytes, starts: dict[str, int]) -> bytes:
    told = json.loads(line)
    if "line" not in (told["error"] or {}):
        return line
    told["error"]["line"] += starts[told["error"]["message"].partition(": ")[0]]
    return json.dumps(told).encode() + b"\n"


def is_void(batch: Batch) -> bool:
    """Tell whether a batch has sent nothing: its files are free for the next firing."""
    return batch.status in {"failed", "cancelled"} and batch.in_progress_at is None


def _place(batch: Batch) -> str:
    return f"results/default/{batch.batch_id}/"


def _plain(lines: bytes, name: str = "") -> bytes:
    """Leave out of results what differs from run to run: ids, which name a provider batch or ours; and the file's name."""
    plain = re.sub(rb'"(id|from)": ?"[^"]*"', rb'"\1":""', lines)
    return plain.replace(f'"message":"{name}: '.encode(), b'"message":"') if name else plain


def _is_part(some: tuple[bytes, ...], every: tuple[bytes, ...]) -> bool:
    """Tell whether the answers are some of those, in their order; a line that was cancelled has an error of its own."""
    output, whole = (each[0].splitlines() for each in (some, every))
    rest = iter(whole)
    return all(line in rest for line in output) and {_id(line) for line in b"".join(some).splitlines()} == {
        _id(line) for line in b"".join(every).splitlines()
    }


def _id(line: bytes) -> str:
    return str(json.loads(line)["custom_id"])


@cache
def run_alone(data: bytes) -> tuple[bytes, ...]:
    """Run a file as a batch of its own, and return its output and its errors."""
    world = StruckWorld(**PRICED)
    world.provider.__class__ = SteadyProvider
    world.backing.put("inbox/default/alone.jsonl", data, {"on-invalid": "skip"})
    batch_id = world.notice("inbox/default/alone.jsonl")
    while world.machine.running:
        world.machine.turn(world.machine.running[0])
    return tuple(_plain(world.found(f"results/default/{batch_id}/{result}") or b"") for result in RESULTS)


def _reason(reason: str | None) -> str:
    """Name why a firing made no batch; "made" if it made one."""
    known = {
        "still waits": "waits", "not yet": "hours", "of at least": "too little", "has not ended": "overlap",
        "no new file": "nothing",
    }  # fmt: skip
    return next(
        (name for words, name in known.items() if words in (reason or "")), "made" if reason is None else reason
    )
