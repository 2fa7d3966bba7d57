"""A schedule of a folder gathers what came since its last firing, when enough waits, or when it waits for too long."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from batchyard.adapters.bucket import InboxPage
from batchyard.api.batches import of_schedule
from batchyard.domain.numbers import HOUR, MINUTE
from batchyard.gathering import line_counts
from batchyard.gathering.fire import fire
from batchyard.gathering.gather import take_up
from batchyard.gathering.listing import walk
from batchyard.gathering.waiting import TIME_TO_COUNT, count_waiting, rests
from batchyard.recovery.missed_firings import see_to_schedules
from batchyard.recovery.sweep_run import SweepRun
from batchyard.schedules import requests
from batchyard.schedules.trigger import trigger
from batchyard.schedules.upkeep import UNDER_WAY
from tests.fakes.batches import NOW
from tests.fakes.bucket import MemoryBucket
from tests.fakes.gathered import FOLDER, lines_of
from tests.fakes.services import MemoryServices

BODY: dict[str, Any] = {
    "name": "hourly", "schedule": "rate(1 hour)", "input": {"prefix": FOLDER}, "endpoint": "/v1/chat/completions",
}  # fmt: skip


class Stack:
    """A stack with one schedule of a folder."""

    def __init__(self, **members: Any) -> None:
        self.services = MemoryServices()
        made = requests.create_schedule(self.services, "default", {**BODY, **members}, of_schedule)
        self.schedule_id, self.hours = made["id"], 0

    def put(self, **files: bytes) -> None:
        for name, data in files.items():
            self.services.bucket.put(f"{FOLDER}{name}.jsonl", data)

    def fire(self) -> str | None:
        """Let an hour pass, and fire."""
        self.services.wait(HOUR)
        self.hours += 1
        at = f"2026-09-21T{14 + self.hours}:13:20Z"
        return self.ended(trigger(self.services, {**self.whose, "scheduled_at": at}))

    def sweep(self, seconds: float = 15 * MINUTE) -> str | None:
        """Let a minute pass, sweep, and let the function run that the sweep invoked, which has so many seconds."""
        self.services.wait(MINUTE)
        see_to_schedules(SweepRun(self.services, lambda: 600.0))
        asked = self.services.trigger_function.invoked
        until = self.services.clock() + seconds
        return self.ended(trigger(self.services, asked.pop(), lambda: until - self.services.clock())) if asked else None

    def ended(self, batch_id: str | None) -> str | None:
        if batch_id is not None:
            batches = self.services.batch_store.batches
            batches[batch_id] = replace(batches[batch_id], status="completed")
        return batch_id

    def refuse(self, batch_id: str | None) -> None:
        batches = self.services.batch_store.batches
        assert batch_id is not None
        batches[batch_id] = replace(batches[batch_id], status="failed", in_progress_at=None)

    @property
    def whose(self) -> dict[str, str]:
        return {"tenant": "default", "schedule_id": self.schedule_id}

    @property
    def reason(self) -> str | None:
        shown = requests.retrieve_schedule(self.services, "default", self.schedule_id)
        reason: str | None = shown["last_firing"]["reason"]
        return reason

    def files(self, batch_id: str | None) -> int:
        return self.services.batch_store.batch(batch_id or "").input.file_count


def test_each_firing_gathers_what_came_since_the_last_and_one_without_new_files_is_none() -> None:
    stack = Stack()
    stack.put(a=lines_of("a", 3), b=lines_of("b", 2))
    first = stack.fire()
    assert stack.files(first) == 2
    assert stack.fire() is None
    assert stack.reason == f"no new file is in {FOLDER}"
    stack.put(c=lines_of("c", 1))
    second = stack.fire()
    assert stack.files(second) == 1
    shown = requests.schedule_batches(stack.services, "default", stack.schedule_id, None, None)["data"]
    assert [(each["id"], each["schedule"]) for each in shown] == [
        (second, stack.schedule_id),
        (first, stack.schedule_id),
    ]


def test_a_firing_with_too_few_lines_or_bytes_is_none_until_enough_waits() -> None:
    stack = Stack(min_lines=5, min_bytes=10)
    stack.put(a=lines_of("a", 3) + b"\n \n", b=lines_of("b", 1)[:-1])
    assert stack.fire() is None
    assert stack.reason == f"4 of at least 5 lines wait in {FOLDER}"
    reads = len(stack.services.bucket.reads)
    assert stack.fire() is None
    assert len(stack.services.bucket.reads) == reads  # what was counted once is not read again
    stack.put(c=lines_of("c", 1))
    assert stack.files(stack.fire()) == 3
    stack.put(d=b"{}")
    assert stack.fire() is None
    assert stack.reason is not None


@pytest.mark.parametrize(
    "members", [{"start_at_lines": 4}, {"start_at_bytes": len(lines_of("a", 3) + lines_of("b", 1))}]
)
def test_so_much_starts_a_batch_at_once_and_less_waits_for_the_clock(members: dict[str, int]) -> None:
    stack = Stack(**members)
    stack.put(a=lines_of("a", 3))
    assert stack.sweep() is None
    stack.put(b=lines_of("b", 1))
    early = stack.sweep()
    assert stack.files(early) == 2
    assert stack.sweep() is None
    stack.put(c=lines_of("c", 1))
    assert stack.files(stack.fire()) == 1
    store = stack.services.schedule_store
    assert store.known[stack.schedule_id].fired_for == NOW + HOUR
    assert len(store.fired) == 2  # a look that starts nothing leaves no record


def test_nothing_starts_early_while_a_batch_runs_or_outside_the_hours() -> None:
    stack = Stack(start_at_lines=1, hours="22:00-23:00")
    stack.put(a=lines_of("a", 3))
    assert stack.sweep() is None
    stack.services.wait(8 * HOUR)  # 22:14
    stack.services.schedule_store.known[stack.schedule_id] = replace(
        stack.services.schedule_store.known[stack.schedule_id], fired_for=stack.services.now()
    )
    running = stack.sweep()
    assert running is not None
    batches = stack.services.batch_store.batches
    batches[running] = replace(batches[running], status="in_progress")
    stack.put(b=lines_of("b", 3))
    assert stack.sweep() is None
    batches[running] = replace(batches[running], status="completed")
    assert stack.files(stack.sweep()) == 1


def test_what_waits_for_too_long_is_gathered_however_little_it_is() -> None:
    stack = Stack(min_lines=100, max_wait=90 * 60)
    stack.put(a=lines_of("a", 1))
    assert stack.fire() is None
    assert stack.sweep() is None
    stack.services.wait(27 * MINUTE)
    assert stack.sweep() is None
    assert stack.files(stack.sweep()) == 1


@pytest.mark.parametrize("members", [{"start_at_lines": 1}, {"start_at_bytes": 1}, {"max_wait": MINUTE}])
def test_the_files_of_a_refused_batch_start_none_early_and_are_left_to_the_clock(members: dict[str, int]) -> None:
    stack = Stack(**members)
    stack.put(a=b"{bad\n")
    stack.refuse(stack.sweep())
    assert [stack.sweep() for _ in range(3)] == [None] * 3
    stack.put(b=lines_of("b", 1))
    again = stack.sweep()
    assert stack.files(again) == 2  # what is new brings the others along
    stack.refuse(again)
    assert stack.sweep() is None
    assert stack.files(stack.fire()) == 2


def test_a_time_of_the_clock_waits_for_the_count_of_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(min_lines=4)
    stack.put(a=lines_of("a", 3), b=lines_of("b", 1))
    with monkeypatch.context() as patched:
        patched.setattr(line_counts, "LONGEST_COUNT", 0)  # there is no time for any
        assert stack.fire() is None
    assert stack.services.schedule_store.known[stack.schedule_id].waits_for == (
        f"the lines that wait in {FOLDER} are still being counted"
    )
    assert stack.files(stack.sweep()) == 2


def test_a_run_by_hand_gathers_however_little_waits() -> None:
    stack = Stack(min_lines=100)
    stack.put(a=lines_of("a", 1))
    requests.run_schedule(stack.services, "default", stack.schedule_id)
    (asked,) = stack.services.trigger_function.invoked
    assert stack.files(trigger(stack.services, asked)) == 1


def test_what_waits_is_told_without_what_a_batch_has() -> None:
    stack = Stack()
    stack.put(a=lines_of("a", 2))
    stack.fire()
    stack.put(b=lines_of("b", 4), c=b"")
    found = count_waiting(stack.services, FOLDER, with_lines=True)
    assert (found.files, found.lines, found.bytes) == (2, 4, len(lines_of("b", 4)))
    assert count_waiting(stack.services, "gather/default/empty/", with_lines=True).since is None


def crowded(monkeypatch: pytest.MonkeyPatch, seconds: int = 0, **members: Any) -> tuple[Stack, list[str]]:
    """Make a stack whose folder has 21 pages of old objects, each of which takes so many seconds to list."""
    stack, listed, real = Stack(**members), list[str](), MemoryBucket.inbox
    stack.services.bucket.page = 10

    def slowly(bucket: MemoryBucket, prefix: str, after: str = "") -> Iterator[InboxPage]:
        for page in real(bucket, prefix, after):
            listed.extend(each.object.key for each in page.newest)
            stack.services.wait(seconds)
            yield page

    stack.put(**{f"{at:03}": b"{}" for at in range(210)})
    batch = fire(stack.services, "default", "tickets", "an earlier one", {})
    assert batch is not None
    stack.ended(batch.batch_id)
    stack.services.batch_store.batches[batch.batch_id] = replace(
        stack.services.batch_store.batch(batch.batch_id), in_progress_at=1
    )
    monkeypatch.setattr(MemoryBucket, "inbox", slowly)
    return stack, listed


def test_a_watched_folder_with_many_old_files_is_looked_at_as_often_as_that_may_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, listed = crowded(monkeypatch, start_at_lines=1)
    stack.put(a=lines_of("a", 1)[:-1])  # 211 objects, of which one waits: 22 pages, and a rest of 630 seconds
    assert stack.files(stack.sweep()) == 1
    listed.clear()
    stack.put(b=lines_of("b", 1)[:-1])
    begun = stack.services.now()
    while (batch_id := stack.sweep()) is None:
        assert stack.services.now() < begun + HOUR
    assert stack.files(batch_id) == 1
    assert stack.services.now() - begun == 10 * MINUTE + MINUTE  # the first sweep that comes after the rest
    assert len(listed) == 2 * 212  # one look, and the listing of the firing


def test_a_time_of_the_clock_does_not_wait_for_that_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    stack, _ = crowded(monkeypatch, min_lines=1, start_at_lines=100)
    stack.services.wait(HOUR - 2 * MINUTE)
    assert stack.sweep() is None
    assert rests(stack.services, stack.schedule_id)
    stack.put(a=lines_of("a", 1)[:-1])
    stack.services.wait(-HOUR + MINUTE)
    assert stack.files(stack.fire()) == 1


def test_a_time_of_the_clock_waits_for_a_listing_that_takes_more_than_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    stack, listed = crowded(monkeypatch, seconds=20, min_bytes=2)
    stack.put(zz=b"{}")
    assert stack.fire() is None
    shown = requests.retrieve_schedule(stack.services, "default", stack.schedule_id)
    assert shown["waits_for"] == f"the files that wait in {FOLDER} are still being listed"
    assert len(listed) == 130
    # So much waits, but behind the rest of the look there is no time to list the folder, too.
    assert stack.sweep(seconds=TIME_TO_COUNT) is None
    (left,) = stack.services.gather_store.open_firings()
    assert take_up(stack.services, left.tenant, left.name, left.batch_id, lambda: 900) is not None
    stack.services.wait(UNDER_WAY)
    assert stack.sweep() == left.batch_id
    assert stack.files(left.batch_id) == 1


def test_a_firing_behind_one_that_was_left_looks_into_no_folder_that_it_has_no_time_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One telling of the clock goes on with the firing that was left, and begins the next: both look, and gather."""
    stack = Stack(min_lines=2)
    stack.put(a=lines_of("a", 1))
    with monkeypatch.context() as patched:
        patched.setattr(line_counts, "LONGEST_COUNT", 0)
        assert stack.fire() is None  # it waits for the count
    real = walk

    def slow(*told: Any) -> Any:
        found = real(*told)
        stack.services.wait(5 * MINUTE)
        return found

    monkeypatch.setattr("batchyard.gathering.waiting.walk", slow)
    began = stack.services.now() + HOUR
    assert stack.fire() is None
    assert "1 of at least 2 lines" in (stack.reason or "")
    assert stack.services.now() - began == 5 * MINUTE  # one look, and none behind it
    stack.put(b=lines_of("b", 1))
    stack.services.wait(UNDER_WAY)
    assert stack.files(stack.sweep()) == 2
    assert stack.services.schedule_store.known[stack.schedule_id].open is None
