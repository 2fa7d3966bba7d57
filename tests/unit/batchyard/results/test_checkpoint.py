"""Assemble runs out of time, again and again, and is killed: the results are those of one run."""

import json
from collections.abc import Callable
from itertools import count

import msgspec
import pytest

from batchyard.domain.batch import SKIP, Batch, BatchError, InputObject
from batchyard.domain.errors import BatchyardError
from batchyard.domain.shard import as_done, with_members
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from batchyard.shards.collect import collect
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, NOW, batch
from tests.fakes.bucket import MemoryBucket
from tests.fakes.seconds_left import Killed, SecondsLeft
from tests.fakes.services import MemoryServices
from tests.fakes.stores import MemoryBatchStore

KEY = "inbox/default/requests.jsonl"
LINES = [(f"r{at}", f"m{at % 3 if at < 30 else 0}") for at in range(48)]  # shards among each other, then in a row
MOST_TURNS = 300


def answer(custom_id: str, attempt: int) -> bytes:
    """Answer well, badly, with a transient error, with two kinds of no answer; the transient errors tell their attempt."""
    status = {1: 400, 2: 503, 5: 200}.get(int(custom_id[1:]) % 6, 200)
    error = {"code": "batch_expired"} if int(custom_id[1:]) % 6 == 3 else None
    response = None if error else {"status_code": status, "body": {"error": {"code": f"{status}-{attempt}"}}}
    line = json.dumps({"custom_id": custom_id, "response": response, "error": error}).encode() + b"\n"
    return b"" if int(custom_id[1:]) % 6 == 4 else line


def collected() -> MemoryServices:
    """Make services whose batch is to be assembled; every kind of line, several attempts, several shards."""
    services = MemoryServices(max_requests_per_shard=8, max_attempts=3)
    requests = [
        {"custom_id": each, "method": "POST", "url": "/v1/responses", "body": {"model": m}} for each, m in LINES
    ]
    lines = [json.dumps(each).encode() + b"\n" for each in requests]
    lines[20:20], lines[40:40] = [b"?\n", lines[3]], [b"?\n"]  # are skipped
    services.bucket.put(KEY, b"".join([*lines, lines[5], b"?\n"]))
    services.batch_store.create_batch(batch(input=services.bucket.head(KEY)[0], on_invalid=SKIP))
    plan(services, BATCH_ID)
    for shard in range(services.batch_store.batch(BATCH_ID).shards):
        step = Step(BATCH_ID, shard)
        while step.next != "done":
            step = submit(services, step)
            end_latest(services)
            step = collect(services, step)
    return services


def end_latest(services: MemoryServices) -> None:
    latest = services.provider.batches[f"pb-{len(services.provider.batches) - 1}"]
    asked = [json.loads(line)["custom_id"] for line in services.provider.files[latest.input_file_id or ""].splitlines()]
    attempt = int(latest.metadata["batchyard_attempt"].rsplit("/", 1)[1])
    services.provider.files[latest.id] = b"".join(answer(each, attempt) for each in reversed(asked))
    services.provider.end(latest.id, "completed", output_file_id=latest.id)


COLLECTED = collected()


def fresh() -> MemoryServices:
    """Return a copy of services."""
    services = MemoryServices(max_requests_per_shard=8, max_attempts=3)
    services.bucket.stored = COLLECTED.bucket.stored.copy()
    services.batch_store.batches, services.batch_store.kept = (
        COLLECTED.batch_store.batches.copy(),
        COLLECTED.batch_store.kept.copy(),
    )
    return services


def by_turns(services: MemoryServices, watch: Callable[[], SecondsLeft]) -> int:
    """Assemble in as many runs as it takes, delivered again after each death; return how many it took."""
    for turn in range(1, MOST_TURNS):
        try:
            if assemble(services, BATCH_ID, watch()) == "done":
                return turn
        except Killed:
            continue
    raise AssertionError(f"not done after {MOST_TURNS} turns")


def results(services: MemoryServices) -> dict[str, bytes]:
    stored = {key: data for key, data in services.bucket.stored.items() if key.startswith("results/")}
    report = json.loads(stored.pop(f"results/default/{BATCH_ID}/report.json"))
    for name in ("output", "errors"):
        del report[name]["sha256"]  # is known only if all was written in one run
    return {**stored, "report": json.dumps(report).encode()}


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    services = fresh()
    assert by_turns(services, lambda: SecondsLeft(10_000)) == 1
    return results(services)


def test_each_line_has_its_last_true_error_or_the_reason_of_its_shard(whole: dict[str, bytes]) -> None:
    lines = [json.loads(line) for line in whole[f"results/default/{BATCH_ID}/errors.jsonl"].splitlines()]
    skipped: dict[int, list[str | None]] = {19: [None, "r3"], 37: [None], 47: ["r5", None]}  # by the line before them
    places = (([f"r{at}"] if at % 6 in {1, 2, 3, 4} else [], skipped.get(at, [])) for at in range(48))
    expected = [each for own, behind in places for each in (*own, *behind)]
    assert [line["custom_id"] for line in lines] == expected
    lines = [line for line in lines if (line["error"] or {}).get("line") is None]
    codes = {1: "400-1", 2: "503-3"}
    for line in lines:
        case = int(line["custom_id"][1:]) % 6
        assert (line["response"]["body"]["error"]["code"] == codes[case]) if case in codes else line["error"]
    assert json.loads(whole["report"])["errors"]["by_code"] == {
        "400-1": 8, "503-3": 8, "duplicate_custom_id": 2, "invalid_json_line": 3, "no_answer": 16,
    }  # fmt: skip


@pytest.mark.parametrize("looks", [1, 2, 3, 7, 20])
def test_the_results_are_the_same_however_often_their_writing_is_left(whole: dict[str, bytes], looks: int) -> None:
    services = fresh()
    assert by_turns(services, lambda: SecondsLeft(looks)) >= 30 // looks
    assert results(services) == whole
    assert (services.event_bus.announced.count("finalizing"), services.event_bus.announced[-1]) == (1, "completed")


@pytest.mark.parametrize("looks", [1, 4, 9])
def test_a_death_at_any_look_at_the_clock_costs_no_line_and_none_comes_twice(
    whole: dict[str, bytes], looks: int
) -> None:
    services, turn = fresh(), count()
    by_turns(services, lambda: SecondsLeft(looks, dies_at=next(turn) % (looks + 3)))
    assert results(services) == whole


class DyingObjects(MemoryBucket):
    """A bucket where the process dies at every second checkpoint."""

    def __init__(self, stored: dict[str, bytes], *, after: bool, name: str = "progress.msgpack") -> None:
        super().__init__()
        self.stored, self.after, self.notes, self.name = stored, after, 0, name

    def put(self, key: str, data: bytes) -> None:
        self.notes += key.endswith(self.name)
        dies = key.endswith(self.name) and self.notes % 2 == 1
        if dies and not self.after:
            raise Killed
        super().put(key, data)
        if dies:
            raise Killed


@pytest.mark.parametrize("after", [False, True])
def test_a_death_before_or_after_a_checkpoint_changes_nothing(whole: dict[str, bytes], *, after: bool) -> None:
    services = fresh()
    services.bucket = DyingObjects(services.bucket.stored, after=after)
    by_turns(services, lambda: SecondsLeft(5))
    assert results(services) == whole


def test_two_workers_at_once_write_the_same(whole: dict[str, bytes]) -> None:
    services = fresh()
    assert assemble(services, BATCH_ID, SecondsLeft(6)) == "assemble"
    early = dict(services.bucket.stored)
    for _ in range(3):
        assert assemble(services, BATCH_ID, SecondsLeft(6)) == "assemble"
    services.bucket.stored.update(
        {key: data for key, data in early.items() if key.endswith("progress.msgpack")}
    )  # a late one
    by_turns(services, lambda: SecondsLeft(6))
    assert results(services) == whole


def test_a_shard_that_a_late_worker_changed_meanwhile_has_its_lines_as_it_is_now() -> None:
    services = fresh()
    while services.bucket.stored.get(f"work/{BATCH_ID}/results/progress.msgpack", b"").count(b"custom_id") < 4:
        assert assemble(services, BATCH_ID, SecondsLeft(2)) == "assemble"
    shard = services.batch_store.kept[BATCH_ID, 1]
    nothing = with_members(shard, attempts=[], unfinished=8, unfinished_key="", completed=0, failed=0, codes={})
    services.batch_store.save_shard(shard, as_done(nothing, BatchError("late", "Late.")))
    by_turns(services, lambda: SecondsLeft(2))
    report = json.loads(results(services)["report"])
    assert report["errors"]["by_code"]["late"] == 8
    assert report["outcomes_equal_lines"] is True


class KeepsNoChecksums(MemoryBucket):
    """A bucket that answers no checksum of any object."""

    def head(self, key: str, version_id: str | None = None) -> tuple[InputObject, dict[str, str]]:
        pinned, metadata = super().head(key, version_id)
        return msgspec.structs.replace(pinned, checksum=None), metadata


@pytest.mark.parametrize("looks", [3, 1_000], ids=["many turns", "one turn"])
def test_a_store_that_keeps_no_checksum_takes_none_from_the_report(whole: dict[str, bytes], looks: int) -> None:
    services = fresh()
    bucket = KeepsNoChecksums()
    bucket.stored, services.bucket = services.bucket.stored, bucket
    assert (by_turns(services, lambda: SecondsLeft(looks)) == 1) is (looks == 1_000)
    assert results(services) == whole


class OtherBytes(MemoryBucket):
    """A bucket that has other bytes of a result than were written, as many as those."""

    def put(self, key: str, data: bytes) -> None:
        super().put(key, data[::-1] if key.endswith("output.jsonl") and key.startswith("results/") else data)


def test_a_result_that_the_store_has_other_bytes_of_is_an_error() -> None:
    services = fresh()
    bucket = OtherBytes()
    bucket.stored, services.bucket = services.bucket.stored, bucket
    with pytest.raises(BatchyardError, match=r"has the checksum CRC32:.* instead of CRC32:"):
        assemble(services, BATCH_ID)


class CancelledMeanwhile(MemoryBatchStore):
    """A table whose user cancels when both results are written, just before the batch ends."""

    def move_batch(self, batch_id: str, status: str, now: int, **changes: object) -> Batch | None:
        if status == "completed":
            super().move_batch(batch_id, "cancelling", NOW)
        return super().move_batch(batch_id, status, now, **changes)


def test_results_written_in_turns_are_not_written_again_when_the_batch_is_cancelled_at_the_end() -> None:
    services, late = fresh(), CancelledMeanwhile()
    late.batches, late.kept = services.batch_store.batches, services.batch_store.kept
    services.batch_store = late
    while late.batch(BATCH_ID).status != "cancelling":
        assert assemble(services, BATCH_ID, SecondsLeft(9)) == "assemble"
    runs = {key for key in services.bucket.stored if "/attempt-" in key or "/left-" in key}
    for key in runs:
        del services.bucket.stored[key]
    assert assemble(services, BATCH_ID, SecondsLeft(9)) == "done"
    assert late.batch(BATCH_ID).status == "cancelled"
