"""A shard outlives the execution that works on it, and its record outlives any number of attempts."""

from collections.abc import Callable

import msgspec
import pytest

from batchyard.costs.usage import Usage
from batchyard.domain.attempt import Attempt
from batchyard.domain.shard import KEPT_ATTEMPTS, Shard, is_full, with_new_attempt
from batchyard.domain.step import MOST_TURNS, Step
from batchyard.domain.token_ledger import Reservation, Terms
from batchyard.services import Services
from batchyard.shards.collect import collect
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, NOW
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)
LAST_TURN = Step(BATCH_ID, 0, turns=MOST_TURNS)
MOST_OF_A_RECORD = 400_000  # bytes, in DynamoDB


def running() -> MemoryServices:
    services = planned()
    assert submit(services, FIRST).next == "poll"
    return services


@pytest.mark.parametrize("play", [submit, poll, collect])
def test_a_step_after_the_last_turn_asks_nobody_writes_nothing_and_leaves_the_shard_to_a_fresh_execution(
    play: Callable[[Services, Step], Step],
) -> None:
    services = running()
    services.provider.calls.clear()
    before = services.batch_store.kept[BATCH_ID, 0]
    following = play(services, LAST_TURN)
    assert (following.next, following.wait_seconds) == ("continue", 0)
    assert services.batch_store.kept[BATCH_ID, 0] == before
    assert services.provider.calls == []


@pytest.mark.parametrize("play", [poll, collect])
def test_the_last_turn_itself_is_played(play: Callable[[Services, Step], Step]) -> None:
    services = running()
    assert play(services, Step(BATCH_ID, 0, turns=MOST_TURNS - 1)).next == "poll"


def test_a_fresh_execution_finds_the_provider_batch_that_the_last_one_made() -> None:
    services = running()
    assert poll(services, LAST_TURN).next == "continue"
    step = submit(services, FIRST)
    assert (step.next, services.provider.calls.count("create_batch")) == ("poll", 1)


def test_a_shard_that_waits_for_room_keeps_its_place_from_one_execution_to_the_next() -> None:
    services = planned(max_enqueued_tokens="1000")
    ledger = services.account().token_ledgers.name_of("m")
    services.account().token_ledgers.take(
        ledger, Reservation(attempt="batch_other/0/1", since=NOW, wanted=1_000, seen_at=NOW), Terms(), 0
    )
    assert submit(services, FIRST).next == "submit"
    places = {
        each.attempt: each.since for each in services.account().token_ledgers.reservations(ledger) if each.waiting
    }
    assert submit(services, LAST_TURN).next == "continue"
    services.wait(60)
    assert submit(services, FIRST).next == "submit"
    assert {
        each.attempt: each.since for each in services.account().token_ledgers.reservations(ledger) if each.waiting
    } == places
    assert places == {f"{BATCH_ID}/0/1": NOW}


def test_every_step_is_a_turn() -> None:
    services, step = planned(), FIRST
    for turn in range(1, 5):
        step = submit(services, step) if step.next == "submit" else poll(services, step)
        assert step.turns == turn


def test_a_shard_that_is_done_needs_no_fresh_execution() -> None:
    services = running()
    shard = services.batch_store.kept[BATCH_ID, 0]
    services.batch_store.save_shard(shard, msgspec.structs.replace(shard, status="done"))
    assert submit(services, LAST_TURN).next == "done"


def attempt(number: int, succeeded: int) -> Attempt:
    """Make an attempt as rich as they come."""
    return Attempt(
        number=number, started_at=NOW, lines=50_000, bytes=200_000_000, tokens=50_000_000, file_id="file-" + "x" * 22,
        creating_at=NOW, lost_at=NOW, provider_batch_id="batch_" + "0" * 32, provider_status="completed", ended_at=NOW,
        succeeded=succeeded, failed=succeeded, transient=succeeded, strays=1, looks=3, runs=999_999,
        usage=Usage(10**9, 10**9, 10**9, 10**9, 10**9) if succeeded else None,
    )  # fmt: skip


def after(waves: int, succeeded: int) -> Shard:
    shard = Shard(
        batch_id=BATCH_ID, shard=0, expires_at_ttl=NOW, endpoint="e", model="m", lines=1, first=0, last=0, unfinished=1
    )
    while len(shard.attempts) < waves and not is_full(shard):
        shard = with_new_attempt(shard, NOW)
        last = attempt(shard.attempts[-1].number, succeeded)
        shard = msgspec.structs.replace(shard, attempts=[*shard.attempts[:-1], last])
        if not succeeded and last.number >= waves:
            break
    return shard


def test_ten_thousand_attempts_that_left_nothing_leave_room() -> None:
    shard = after(10_000, 0)
    assert shard.attempts[-1].number == 10_000
    assert len(shard.attempts) <= KEPT_ATTEMPTS + 1
    assert len(msgspec.json.encode(shard)) < MOST_OF_A_RECORD / 4


def test_a_record_is_full_long_before_it_cannot_be_written() -> None:
    shard = after(10_000, 7)
    assert 500 < len(shard.attempts) < 2_000
    assert len(msgspec.json.encode(shard)) < MOST_OF_A_RECORD * 0.8


def test_a_shard_whose_record_is_full_ends_with_a_reason_and_its_answers_are_kept() -> None:
    services = planned()
    submit(services, FIRST)
    shard = services.batch_store.kept[BATCH_ID, 0]
    services.batch_store.save_shard(shard, msgspec.structs.replace(shard, attempts=after(10_000, 7).attempts))
    assert submit(services, FIRST).next == "done"
    ended = services.batch_store.kept[BATCH_ID, 0]
    assert ended.reason is not None
    assert ended.reason.code == "too_many_attempts"
    assert len(ended.attempts) > 500
