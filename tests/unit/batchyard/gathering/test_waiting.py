"""What waits in a folder is counted in bounded memory and time, and what was counted stays counted."""

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.adapters.bucket import InboxPage
from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject
from batchyard.domain.numbers import DAY, HOUR
from batchyard.gathering import line_counts, waiting
from batchyard.gathering.fire import fire
from batchyard.gathering.line_counts import LONGEST_COUNT, Counted
from batchyard.gathering.waiting import LONGEST_LISTING, Waiting, count_waiting, rest, rests
from tests.fakes.bucket import MemoryBucket
from tests.fakes.gathered import FOLDER, lines_of
from tests.fakes.services import MemoryServices


def looked(services: MemoryServices) -> Waiting:
    return count_waiting(services, FOLDER, with_lines=True)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> MemoryServices:
    """Make a stack that needs a third of the time of a look for each hundred bytes, and reads one file at a time."""
    monkeypatch.setattr(line_counts, "READERS", 1)
    services, read = MemoryServices(), MemoryBucket.chunks

    def slowly(bucket: MemoryBucket, source: InputObject, start: int = 0) -> Iterator[bytes]:
        for chunk in read(bucket, source, start, None, 100):
            services.wait(LONGEST_COUNT // 3)
            yield chunk

    monkeypatch.setattr(MemoryBucket, "chunks", slowly)
    return services


@given(st.text("a \n\t", max_size=30), st.integers(1, 7))
def test_lines_that_are_not_blank_are_counted_wherever_the_bytes_are_cut(text: str, size: int) -> None:
    data, counted = text.encode(), Counted()
    for start in range(0, len(data), size):
        counted = counted.behind(data[start : start + size])
    assert counted.ended + counted.begun == sum(1 for line in text.split("\n") if line.strip())
    assert counted.read == len(data)


def test_a_line_without_end_is_counted_and_never_held() -> None:
    services = MemoryServices()
    services.bucket.put(f"{FOLDER}a.jsonl", lines_of("a", 2) + b"x" * 5_000_000)
    tracemalloc.start()
    try:
        found = looked(services)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (found.lines, found.uncounted) == (3, False)
    assert most < 2_000_000


def test_a_look_counts_for_so_long_and_the_next_goes_on_where_it_stopped(slow: MemoryServices) -> None:
    files = {"a": b"{" * 450 + b"\n" + b"y" * 400, "b": b"{\n" * 100, "c": b"{"}
    for name, data in files.items():
        slow.bucket.put(f"{FOLDER}{name}.jsonl", data)
    looks = [looked(slow)]
    while looks[-1].uncounted:
        assert len(looks) < 10
        looks.append(looked(slow))
    assert [each.lines for each in looks] == [0, 1, 2, 103]
    begins = [start for start, _ in slow.bucket.reads]
    assert begins == [0, 300, 600, 0, 0]
    assert looked(slow).lines == 103
    assert len(slow.bucket.reads) == len(begins)


def large(objects: int, monkeypatch: pytest.MonkeyPatch, seconds: int = 0) -> tuple[MemoryServices, list[str]]:
    """Make a stack with a folder that is listed ten objects at a time; each page takes so many seconds."""
    services, listed, real = MemoryServices(), list[str](), MemoryBucket.inbox
    services.bucket.page = 10

    def slowly(bucket: MemoryBucket, prefix: str, after: str = "") -> Iterator[InboxPage]:
        for page in real(bucket, prefix, after):
            listed.extend(each.object.key for each in page.newest)
            services.wait(seconds)
            yield page

    monkeypatch.setattr(MemoryBucket, "inbox", slowly)
    for at in range(objects):
        services.bucket.put(f"{FOLDER}{at:05}", b"{")
    return services, listed


@pytest.mark.parametrize(("objects", "seconds"), [(0, 0), (10, 0), (11, 30), (95, 270)])
def test_a_look_is_followed_by_a_rest_that_fits_what_it_cost(
    objects: int, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, _ = large(objects, monkeypatch)
    assert not rests(services, "a schedule")
    assert count_waiting(services, FOLDER, with_lines=False, watcher="a schedule").files == objects
    assert rests(services, "a schedule") == bool(seconds)
    assert not rests(services, "another schedule")
    services.wait(max(0, seconds - 1))
    assert rests(services, "a schedule") == bool(seconds)
    services.wait(1)
    assert not rests(services, "a schedule")


def test_a_folder_costs_no_more_a_day_than_the_bound_however_large_it_is() -> None:
    between_sweeps, of_a_page = 300, 1_000 / 1_000_000 * 0.125 / 2 + 0.005 / 1_000
    for pages in (1, 2, 10, 11, 12, 100, 1_000, 10_000):
        looks = DAY / max(between_sweeps, rest(pages))
        assert looks * pages * of_a_page <= 0.22


def test_a_long_listing_is_parted_among_looks_and_what_was_claimed_since_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services, listed = large(100, monkeypatch, seconds=LONGEST_LISTING // 4)
    first = count_waiting(services, FOLDER, with_lines=False)
    assert (first.files, first.unlisted) == (50, True)
    batch = fire(services, "default", "tickets", "run", {}, seconds_left=lambda: 900)
    assert batch is not None
    assert batch.input.file_count == 100
    listed.clear()
    services.bucket.put(f"{FOLDER}99999", b"x")
    looks = [count_waiting(services, FOLDER, with_lines=False) for _ in range(2)]
    assert [(each.files, each.unlisted) for each in looks] == [(0, True), (1, False)]
    assert listed == [f"{FOLDER}{at:05}" for at in (*range(50, 100), 99_999)]
    assert not rests(services, "of nobody")
    assert rests(services, FOLDER)


def test_what_was_counted_is_not_forgotten_while_a_listing_is_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    services, _ = large(60, monkeypatch)
    assert looked(services).lines == 60
    monkeypatch.setattr(waiting, "LONGEST_LISTING", -1)
    services.bucket.reads.clear()
    looks = [looked(services) for _ in range(7)]
    assert [each.lines for each in looks] == [10, 20, 30, 40, 50, 60, 60]
    assert [each.unlisted for each in looks] == [True] * 7
    assert services.bucket.reads == []


def test_a_listing_that_was_left_long_ago_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    services, listed = large(60, monkeypatch, seconds=LONGEST_LISTING // 4)
    assert count_waiting(services, FOLDER, with_lines=False).unlisted
    services.wait(HOUR)
    services.bucket.put(f"{FOLDER}0000", b"x")
    listed.clear()
    assert count_waiting(services, FOLDER, with_lines=False).unlisted
    assert count_waiting(services, FOLDER, with_lines=False).files == len(listed) == 61


def test_what_an_earlier_version_kept_of_a_look_is_of_no_use() -> None:
    services = MemoryServices()
    services.bucket.put(f"{FOLDER}a", b"x")
    services.bucket.put(object_keys.watched("a schedule"), b"\xa1?")
    assert not rests(services, "a schedule")
    assert count_waiting(services, FOLDER, with_lines=False, watcher="a schedule").files == 1


def test_a_file_that_would_be_set_aside_has_no_lines() -> None:
    services = MemoryServices()
    services.bucket.put(f"{FOLDER}a.csv", b"id,text\n" + b"1,one\n" * 50_000)
    services.bucket.put(f"{FOLDER}b.jsonl.gz", b"\x1f\x8b\n\n\n")
    services.bucket.put(f"{FOLDER}c.jsonl", lines_of("c", 2))
    found = looked(services)
    assert (found.files, found.lines, found.uncounted) == (3, 2, False)


def test_counts_are_kept_every_so_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_counts, "COUNTED_TOGETHER", 2)
    services, count = MemoryServices(), Counted.behind
    for name in "abcde":
        services.bucket.put(f"{FOLDER}{name}.jsonl", b"{" + name.encode())

    def dying(counted: Counted, chunk: bytes) -> Counted:
        if chunk == b"{e":
            raise MemoryError
        return count(counted, chunk)

    with monkeypatch.context() as patched:
        patched.setattr(Counted, "behind", dying)
        with pytest.raises(MemoryError):
            looked(services)
    services.bucket.reads.clear()
    assert looked(services).lines == 5
    assert len(services.bucket.reads) == 1


def test_what_an_earlier_version_counted_is_counted_again() -> None:
    services = MemoryServices()
    services.bucket.put(f"{FOLDER}a.jsonl", lines_of("a", 2))
    looked(services)
    (kept,) = (key for key in services.bucket.stored if key.startswith("work/waiting/"))
    services.bucket.put(kept, b"\x81\xa1a\x02")
    assert looked(services).lines == 2
