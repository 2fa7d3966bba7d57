"""A shard outlives the execution that works on it, and its record outlives any number of attempts."""

import json
from collections.abc import Callable

import msgspec
import pytest

from batch_client import RateLimitError
from batchyard.domain.batch import Usage
from batchyard.domain.shard import KEPT_ATTEMPTS, Attempt, Shard, is_full, with_new_attempt
from batchyard.domain.step import Step
from batchyard.results.assemble import assemble
from batchyard.services import Services
from batchyard.shards.collect import collect
from batchyard.shards.continue_as_new import MOST_BUSY_TURNS, MOST_TURNS
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, NOW
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)
LAST_TURN = Step(BATCH_ID, 0, turns=MOST_BUSY_TURNS)
MOST_OF_A_RECORD = 400_000  # bytes, in DynamoDB


def running() -> MemoryServices:
    services = planned()
    assert submit(services, FIRST).next == "poll"
    return services


@pytest.mark.parametrize("play", [submit, poll, collect])
def test_a_step_after_the_last_turn_asks_nobody_and_hands_the_shard_over(
    play: Callable[[Services, Step], Step],
) -> None:
    services = running()
    services.provider.calls.clear()
    assert play(services, LAST_TURN).next == "continue"
    assert services.batch_store.kept[BATCH_ID, 0].continues
    assert services.provider.calls == []


@pytest.mark.parametrize("play", [poll, collect])
def test_a_shard_that_is_at_the_provider_goes_on_a_while_for_others_may_wait_for_its_room(
    play: Callable[[Services, Step], Step],
) -> None:
    services = running()
    assert play(services, Step(BATCH_ID, 0, turns=MOST_TURNS)).next == "poll"
    assert not services.batch_store.kept[BATCH_ID, 0].continues


def test_a_shard_that_waits_for_room_is_handed_over_and_holds_none() -> None:
    services = planned(max_enqueued_tokens="1000000", max_creates_per_hour=1)
    refuse = RateLimitError("slow down", status=429)
    services.provider.trouble["create_file"] = [refuse]
    assert submit(services, FIRST).next == "submit"
    assert submit(services, Step(BATCH_ID, 0, turns=MOST_TURNS)).next == "continue"
    assert [
        reservation.tokens
        for name in services.token_ledger_store.names()
        for reservation in services.token_ledger_store.reservations(name)
    ] == []


def test_every_step_is_a_turn() -> None:
    services, step = planned(), FIRST
    for turn in range(1, 5):
        step = submit(services, step) if step.next == "submit" else poll(services, step)
        assert step.turns == turn


def test_a_batch_with_a_shard_that_was_handed_over_is_run_again_and_then_assembled() -> None:
    services = running()
    poll(services, LAST_TURN)
    assert assemble(services, BATCH_ID) == "run"
    assert services.batch_store.batch(BATCH_ID).status == "in_progress"
    step = submit(services, FIRST)
    assert (step.next, services.provider.calls.count("create_batch")) == ("poll", 1)
    assert not services.batch_store.kept[BATCH_ID, 0].continues
    answers = [{"custom_id": f"r{at}", "response": {"status_code": 200, "body": {}}} for at in range(3)]
    services.provider.files["out"] = b"\n".join(json.dumps(each).encode() for each in answers)
    services.provider.end("pb-0", "completed", output_file_id="out")
    assert collect(services, step).next == "done"
    assert assemble(services, BATCH_ID) == "done"


def test_a_shard_whose_fresh_execution_died_is_not_run_for_ever() -> None:
    services = running()
    poll(services, LAST_TURN)
    submit(services, FIRST)
    assert assemble(services, BATCH_ID) == "failed"


def test_a_shard_that_is_done_is_not_handed_over() -> None:
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
