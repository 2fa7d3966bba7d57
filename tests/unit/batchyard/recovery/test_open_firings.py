"""The sweep gathers nothing: it has firings go on that are left, and folders fire whose RUN nobody heard of, each once."""

from collections.abc import Iterator
from typing import Any

import pytest

from batchyard.adapters.stores.gather_store import FolderFiring
from batchyard.domain.numbers import HOUR
from batchyard.gathering.fire import LONGEST_AT_WORK, fire
from batchyard.gathering.gather import gather, take_up
from batchyard.recovery.open_firings import fire_missed_runs, take_up_firings
from batchyard.recovery.sweep import sweep
from batchyard.recovery.sweep_run import SweepRun
from tests.fakes.batches import BUCKET, NOW
from tests.fakes.gathered import FOLDER, NAME, lines_of
from tests.fakes.seconds_left import Killed, SecondsLeft
from tests.fakes.services import MemoryServices

RUN = f"{FOLDER}RUN"


def swept(services: MemoryServices) -> list[str]:
    """Sweep, and name what fires or goes on; the sweep may neither list files nor claim them."""
    run = SweepRun(services, lambda: 600.0)
    before = set(services.bucket.stored), dict(services.gather_store.claims)
    take_up_firings(run)
    fire_missed_runs(run)
    assert (set(services.bucket.stored), services.gather_store.claims) == before
    invoked, services.gather_function.invoked[:] = list(services.gather_function.invoked), []
    assert run.done["FiringsTakenUp"] == len(invoked)
    return [_told(each) for each in invoked]


def _told(event: Any) -> str:
    return str(event["firing"]["batch_id"] if "firing" in event else event["detail"]["object"]["key"])


@pytest.fixture
def services() -> MemoryServices:
    made = MemoryServices()
    made.bucket.put(f"{FOLDER}a.jsonl", lines_of("a", 1))
    return made


def left(services: MemoryServices, key: str, seconds_left: SecondsLeft) -> str:
    with pytest.raises((Killed, Exception)):
        fire(services, "default", NAME, key, {}, seconds_left=seconds_left)
    return next(each.batch_id for each in services.gather_store.open_firings() if each.key == key)


def test_a_firing_whose_process_died_is_taken_up_when_nobody_can_be_working_on_it(services: MemoryServices) -> None:
    batch_id = left(services, "one", SecondsLeft(dies_at=1))
    assert swept(services) == []
    services.wait(LONGEST_AT_WORK)
    assert swept(services) == [batch_id]
    services.wait(LONGEST_AT_WORK - 1)
    assert swept(services) == []  # who was asked to may be working on it
    services.wait(1)
    assert swept(services) == [batch_id]
    assert take_up(services, "default", NAME, batch_id) is not None
    services.wait(LONGEST_AT_WORK)
    assert swept(services) == []


def test_a_firing_whose_process_had_no_more_time_is_taken_up_at_once(services: MemoryServices) -> None:
    batch_id = left(services, "one", SecondsLeft(0))
    assert swept(services) == [batch_id]
    assert swept(services) == []


def test_one_that_cannot_be_handed_over_keeps_no_other(
    services: MemoryServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [left(services, key, SecondsLeft(0)) for key in ("one", "two")]
    real, tried = type(services.gather_function).invoke, list[str]()

    def throttled(function: object, payload: dict[str, dict[str, str]]) -> None:
        tried.append(payload["firing"]["batch_id"])
        if len(tried) == 1:
            raise ValueError("no")
        real(function, payload)  # type: ignore[arg-type]

    monkeypatch.setattr(type(services.gather_function), "invoke", throttled)
    assert swept(services) == ids[1:]
    assert swept(services) == ids[:1]


def test_a_run_that_nobody_heard_of_fires_once(services: MemoryServices) -> None:
    services.bucket.put(RUN, b"")
    assert swept(services) == [RUN]
    assert gather(services, BUCKET, RUN, "v1") is not None
    services.wait(HOUR)
    assert swept(services) == []


def test_a_run_that_was_heard_of_and_became_no_batch_is_not_fired_again(services: MemoryServices) -> None:
    services.bucket.stored.clear()
    services.bucket.put(RUN, b"")
    assert gather(services, BUCKET, RUN, "v1") is None
    services.bucket.put(f"{FOLDER}late.jsonl", lines_of("a", 1))
    assert swept(services) == []


def test_a_run_of_long_ago_is_not_fired(services: MemoryServices) -> None:
    services.bucket.put(RUN, b"")
    services.bucket.arrived[RUN] = NOW - 8 * 24 * HOUR
    assert swept(services) == []


def test_firings_that_use_up_their_time_keep_no_folder_from_its_run(services: MemoryServices) -> None:
    left(services, "one", SecondsLeft(dies_at=1))
    (under_way,) = services.gather_store.open_firings()
    services.bucket.put(RUN, b"")
    clock = [600.0]

    def endless() -> Iterator[FolderFiring]:
        while True:
            clock[0] -= 1
            yield under_way

    services.gather_store.open_firings = endless  # type: ignore[method-assign]
    sweep(services, lambda: clock[0])
    assert [_told(each) for each in services.gather_function.invoked] == [RUN]
