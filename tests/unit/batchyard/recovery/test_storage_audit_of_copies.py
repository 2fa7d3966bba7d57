"""The sum of a tenant's bytes is right in the end, whenever it is made anew while a copy is written, counted or removed.

Between two calls the sum may miss a copy, or have it twice. The next audit, a day later at most, makes it right.
"""

import gzip
from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from typing import Final

import pytest

from batchyard.domain.numbers import DAY
from batchyard.planning.plan import plan
from batchyard.recovery.settle import settle
from batchyard.recovery.storage_audit import sum_up
from batchyard.recovery.sweep_run import SweepRun
from batchyard.services import Services
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.planned import INPUT, KEY
from tests.fakes.services import MemoryServices
from tests.faults.strikes import Killed, Strike, Strikes, Struck

ADAPTERS: Final = ("bucket", "batch_store", "quota_store", "sweep_store", "file_bucket", "file_store", "upload_store")
OTHERS: Final = 1_000  # bytes of another batch's copy, which stay
Work = Callable[[Services], object]


def packed() -> MemoryServices:
    """Make services with a packed input that is not planned yet, and an audit that is due."""
    services = MemoryServices(max_stored_bytes=10**12)
    services.bucket.put(KEY, gzip.compress(INPUT))
    given = services.bucket.head(KEY)[0]
    services.batch_store.create_batch(batch(input=given))
    other = batch(batch_id="batch_" + "0" * 32, input=given)
    services.batch_store.create_batch(other)
    services.bucket.put("work/other/plan/input.jsonl", b"x" * OTHERS)
    source = services.bucket.head("work/other/plan/input.jsonl")[0]
    services.batch_store.keep_copy(other.batch_id, source=source)
    services.quota_store.count("default", OTHERS, services.now())
    services.wait(DAY)
    return services


def ended() -> MemoryServices:
    """Make services whose batch was unpacked and has ended."""
    services = packed()
    unpack(services)
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())
    services.wait(DAY)
    assert known(services) == OTHERS + len(INPUT)
    return services


def unpack(services: Services) -> None:
    assert plan(services, BATCH_ID).next == "run"


def remove(services: Services) -> None:
    found = services.batch_store.find_batch(BATCH_ID)
    assert found is not None
    settle(SweepRun(services, lambda: 1_000.0), found)


def audit(services: Services) -> None:
    sum_up(SweepRun(services, lambda: 1_000.0))


def known(services: MemoryServices) -> int:
    return services.quota_store.read("default").bytes


def struck(services: MemoryServices, strikes: Strikes) -> Services:
    """Return services over the same adapters, each call of which can be struck."""
    seen = copy(services)
    for name in ADAPTERS:
        setattr(seen, name, Struck(getattr(services, name), strikes))
    return seen


def each_strike(make: Callable[[], MemoryServices], work: Work, kind: str) -> Iterator[tuple[MemoryServices, Strikes]]:
    """Yield fresh services and a strike, for each call that the work makes."""
    services, strikes = make(), Strikes()
    work(struck(services, strikes))
    assert strikes.count >= 4
    for at in range(strikes.count):
        for after in (False, True):
            yield make(), Strikes(Strike(kind, at, after))


def in_the_end(services: MemoryServices) -> int:
    """Let the next audit come, a day later at most."""
    services.wait(DAY)
    audit(services)
    return known(services)


PHASES = {"a copy is written": (packed, unpack, len(INPUT)), "a copy is removed": (ended, remove, 0)}
each_phase = pytest.mark.parametrize(("make", "work", "left"), PHASES.values(), ids=PHASES)


@each_phase
def test_an_audit_comes_between_any_two_calls(make: Callable[[], MemoryServices], work: Work, left: int) -> None:
    for services, strikes in each_strike(make, work, "overtake"):
        strikes.step = partial(audit, services)
        work(struck(services, strikes))
        assert strikes.struck
        assert in_the_end(services) == OTHERS + left, strikes.struck


@each_phase
def test_all_is_done_between_any_two_calls_of_an_audit(
    make: Callable[[], MemoryServices], work: Work, left: int
) -> None:
    for services, strikes in each_strike(make, audit, "overtake"):
        strikes.step = partial(work, services)
        audit(struck(services, strikes))
        assert strikes.struck
        assert in_the_end(services) == OTHERS + left, strikes.struck


@each_phase
def test_the_worker_dies_at_any_call_and_another_goes_on_around_an_audit(
    make: Callable[[], MemoryServices], work: Work, left: int
) -> None:
    for services, strikes in each_strike(make, work, "kill"):
        with pytest.raises(Killed):
            work(struck(services, strikes))
        audit(services)
        work(services)
        assert in_the_end(services) == OTHERS + left, strikes.struck


@each_phase
def test_a_sum_is_made_anew_each_day_however_often_it_changes(
    make: Callable[[], MemoryServices], work: Work, left: int
) -> None:
    services = make()
    work(services)
    services.quota_store.count("default", 777, services.now())  # what nobody gives back
    for _ in range(24):
        services.wait(3_600)
        services.quota_store.count("default", 0, services.now())  # it is never quiet
        audit(services)
    assert known(services) == OTHERS + left
