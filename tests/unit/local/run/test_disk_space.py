from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from local.errors import DiskFullError, UsageError
from local.run.disk_space import LEAST, GrowingResults, check_disk_space, check_room_for_results, check_stack
from local.stack.running import Stack

GB = 1_000_000_000


def test_an_input_that_fits_is_not_remarked_upon() -> None:
    told: list[str] = []
    check_disk_space(3 * GB, told.append, 6 * GB)
    assert told == []


def test_an_input_that_may_not_fit_is_told_of() -> None:
    told: list[str] = []
    check_disk_space(3 * GB, told.append, 5 * GB)
    assert [text.startswith("The input may need up to 6.0 GB below ") for text in told] == [True]
    assert told[0].endswith(", where 5.0 GB are free.")


def test_an_input_that_cannot_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"needs more than 3\.1 GB below .*, where 2\.0 GB are free"):
        check_disk_space(3 * GB, print, 2 * GB)


class Usage(NamedTuple):
    """What shutil tells of a disk."""

    free: int


def test_a_folder_without_room_for_results_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(900_000))
    with pytest.raises(UsageError, match=r"no room for results in .*: 0\.9 MB are free\. Name another folder"):
        check_room_for_results(tmp_path, 10, print)


def test_a_folder_that_may_be_too_small_for_results_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(2 * GB))
    told: list[str] = []
    check_room_for_results(tmp_path, GB, told.append)
    check_room_for_results(tmp_path, 3 * GB, told.append)
    assert told == [f"The results may need 3.0 GB or more in {tmp_path}, where 2.0 GB are free."]


def test_a_run_ends_with_a_sentence_when_its_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clients: Any = None
    stack = Stack(clients, {}, "http://provider", (), tmp_path)
    check_stack(stack)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(LEAST - 1))
    with pytest.raises(DiskFullError, match=r"The disk is full: 100\.0 MB are free in .*, and the run cannot go on\."):
        check_stack(stack)


def test_answers_that_outgrow_the_folder_for_results_are_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"lines.msgpack": 9 * GB, "attempt-0001-3/output": GB, "attempt-0002-4/output": GB}
    page = {"Contents": [{"Key": f"work/b/shards/00000/{name}", "Size": size} for name, size in names.items()]}
    pages = SimpleNamespace(paginate=lambda **_: [page, {}])
    clients: Any = SimpleNamespace(s3=SimpleNamespace(get_paginator=lambda _: pages))
    free = 3 * GB
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(free))
    monkeypatch.setattr("local.run.disk_space._LOOK_SECONDS", 0.0)
    told: list[str] = []
    growing = GrowingResults(Stack(clients, {"BucketName": "b"}, "", (), tmp_path), "b", tmp_path, told.append)
    growing.look()
    assert told == []
    free = GB
    growing.look()
    growing.look()
    assert [text.partition(". Make room")[0] for text in told] == [
        f"The answers so far need 2.0 GB in {tmp_path}, where 1.0 GB are free"
    ]
