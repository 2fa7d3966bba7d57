"""A provider that takes only so many tokens at once, and tells so only by failing what is too much."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from batch_client import BatchError as ProviderBatchError
from batchyard.domain.token_ledger import Reservation, Terms
from batchyard.recovery.sweep_run import RESERVE, SweepRun
from batchyard.recovery.token_audit import correct_ledgers
from tests.fakes.lines import jsonl, request
from tests.faults.provider import NEVER_SEEN, Fate, no_room
from tests.faults.strikes import Strike
from tests.faults.struck import StruckWorld

FORTY = [f"r{at:02}" for at in range(40)]
LINE = 27  # tokens of one request, as the provider counts them, at most; we expect some forty
DAY, HOUR = 86_400, 3_600
MOST_TURNS = 20_000


def side_by_side(world: StruckWorld, until: float = float("inf")) -> None:
    """Play all shards at once: whichever is due next goes on."""
    while world.machine.running and world.clock.now < until:
        assert world.machine.turns < MOST_TURNS, "hangs"
        (execution,) = world.machine.running
        due = [execution.shards[number].due for number in execution.open]
        world.machine.turn(execution, due.index(min(due)) if due else 0)


def ran(world: StruckWorld, ids: list[str] = FORTY) -> dict[str, str]:
    """Run a batch with its shards side by side, and answer the errors it ends with, by custom_id."""
    world.upload(ids)
    side_by_side(world)
    world.finish()
    assert world.wrongs() == []
    lines = [json.loads(line) for line in (world.first_result("errors.jsonl") or b"").splitlines()]
    return {each["custom_id"]: each["error"]["code"] for each in lines}


def limited(limit: int | None, **settings: Any) -> StruckWorld:
    """Make a world in small: its limits are a thousandth of real ones, so nothing goes by a published limit."""
    world = StruckWorld(**{"max_requests_per_shard": 4, "first_enqueued_tokens": 1, **settings})
    world.provider.token_limit = limit
    return world


@pytest.mark.parametrize("shards", [1, 2, 3, 5])
def test_ten_shards_finish_under_a_limit_that_fits_a_few_and_few_creates_are_refused(shards: int) -> None:
    world = limited(4 * LINE * shards)
    assert ran(world) == {}
    assert world.provider.refused_for_tokens <= 2
    assert len(world.provider.made) - world.provider.refused_for_tokens == 10
    assert world.provider.most_queued <= 4 * LINE * shards
    assert world.provider.calls.count("create_file") == 10


def test_what_was_learned_is_kept_for_the_next_batch() -> None:
    world = limited(4 * LINE)
    ran(world)
    refused = world.provider.refused_for_tokens
    world.upload([f"s{at}" for at in range(40)])
    side_by_side(world)
    assert world.provider.refused_for_tokens == refused


def test_a_limit_that_is_configured_is_never_met() -> None:
    world = limited(4 * LINE, max_enqueued_tokens=f"other=7,m0={5 * LINE}")
    assert ran(world) == {}
    assert world.provider.refused_for_tokens == 0


@pytest.mark.parametrize("tells", [True, False], ids=["stated", "not stated"])
@pytest.mark.parametrize("lines_a_shard", [4, 40])
def test_a_shard_larger_than_the_limit_goes_in_waves(lines_a_shard: int, *, tells: bool) -> None:
    world = limited(3 * LINE, max_requests_per_shard=lines_a_shard)
    world.provider.tells_limit = tells
    assert ran(world) == {}
    assert all(len(made.custom_ids) <= 3 for made in world.provider.made.values() if made.tokens)
    if tells:
        assert world.provider.refused_for_tokens <= 2


@pytest.mark.parametrize("befalls", ["missing", "never_seen"])
def test_a_wave_that_is_never_answered_takes_no_line_with_it_that_was_not_in_it(befalls: str) -> None:
    world = limited(3 * LINE, max_requests_per_shard=40, max_enqueued_tokens=str(4 * LINE))
    lost = FORTY[:2]
    if befalls == "missing":
        world.provider.fates = [Fate(lines=dict.fromkeys(lost, "missing")) for _ in range(60)]
    else:
        world.provider.fates = [Fate("failed", errors=(ProviderBatchError(NEVER_SEEN, "?"),)) for _ in range(3)]
    found = ran(world)
    assert 2 <= len(found) <= 3
    assert set(lost) <= set(found) <= set(FORTY[:3])
    assert set(found.values()) == {NEVER_SEEN if befalls == "never_seen" else "no_answer"}
    assert all(world.provider.sent[each] == 3 for each in found)


@pytest.mark.parametrize("window", [DAY, 0.95 * DAY])
def test_a_provider_that_has_no_time_for_a_batch_day_after_day_costs_no_try(window: float) -> None:
    world = limited(3 * LINE)
    world.provider.fates = [Fate("expired", seconds=window, share=0.0) for _ in range(7)]
    assert ran(world, FORTY[:8]) == {}


def test_a_provider_that_takes_batches_back_at_once_is_not_tried_for_ever() -> None:
    world = limited(None)
    world.provider.fates = [Fate("expired", seconds=60, share=0.0) for _ in range(9)]
    assert set(ran(world, FORTY[:4]).values()) == {"batch_expired"}
    assert len(world.provider.made) == 3


@pytest.mark.parametrize("times", [4, 9])
def test_a_provider_that_has_no_room_time_after_time_costs_no_try(times: int) -> None:
    world = limited(None)
    world.provider.fates = [Fate("failed", errors=(no_room("m0", None),)) for _ in range(times)]
    assert ran(world, FORTY[:4]) == {}


def test_text_denser_than_estimated_finishes_all_the_same() -> None:
    world = limited(8 * LINE, max_requests_per_shard=40)
    world.provider.bytes_per_token = 1
    assert ran(world) == {}
    assert world.provider.refused_for_tokens <= 8


def test_usage_that_says_less_than_the_queue_counts_is_seen_through() -> None:
    world = limited(8 * LINE)
    world.provider.usage_is_a = 9
    assert ran(world) == {}
    assert world.provider.refused_for_tokens <= 4


def test_a_line_larger_than_the_limit_is_an_error_and_the_others_go_on() -> None:
    world = limited(6 * LINE, max_requests_per_shard=40)
    big = request("big", model="m0", prompt="x" * 4 * 6 * LINE)
    requests = [request(each, model="m0") for each in FORTY]
    data = jsonl([*requests[:7], big, *requests[7:]])
    ids = [*FORTY[:7], "big", *FORTY[7:]]
    world.upload(ids)
    world.memory.bucket.stored["inbox/default/0.jsonl"] = data
    source = world.memory.bucket.head("inbox/default/0.jsonl")[0]
    world.memory.batch_store._replace(world.cases[0].batch_id, {"input": source})
    side_by_side(world)
    world.provider.refused.add("big")
    world.finish()
    assert world.wrongs() == []
    (error,) = [json.loads(line) for line in (world.first_result("errors.jsonl") or b"").splitlines()]
    assert (error["custom_id"], error["error"]["code"]) == ("big", "token_limit_exceeded")
    assert f"{6 * LINE:,} enqueued tokens" in error["error"]["message"]


def test_a_queue_that_others_fill_is_waited_for_and_nothing_is_given_up() -> None:
    world = limited(40 * LINE)
    world.provider.others = 40 * LINE
    world.upload(FORTY)
    side_by_side(world, world.clock.now + DAY)
    assert not world.provider.sent or set(world.provider.ran) == set()
    assert world.provider.refused_for_tokens < 400
    assert "room" in (world.record(world.cases[0].batch_id)["paused"] or "")
    world.provider.others = 0
    side_by_side(world)
    world.finish()
    assert world.wrongs() == []
    assert not world.first_result("errors.jsonl")


def test_a_limit_that_rises_is_noticed_by_trying_rarely() -> None:
    world = limited(4 * LINE)
    world.provider.fates = [Fate(seconds=4 * HOUR) for _ in range(50)]
    world.upload([f"r{at}" for at in range(10, 70)])
    side_by_side(world, world.clock.now + 5 * HOUR)
    assert world.provider.refused_for_tokens <= 2
    assert world.provider.most_queued <= 4 * LINE
    world.provider.token_limit = 20 * LINE
    side_by_side(world)
    world.finish()
    assert world.wrongs() == []
    assert world.provider.refused_for_tokens <= 2
    assert world.provider.most_queued > 4 * LINE


def test_a_limit_that_stays_is_tried_rarely() -> None:
    world = limited(4 * LINE)
    world.provider.fates = [Fate(seconds=8 * HOUR) for _ in range(50)]
    world.upload(FORTY)
    side_by_side(world)
    world.finish()
    assert world.wrongs() == []
    assert world.provider.refused_for_tokens <= 2 + 80 // 24


def test_a_batch_that_is_cancelled_while_it_waits_leaves_nothing_in_the_ledger() -> None:
    world = limited(4 * LINE)
    world.upload(FORTY)
    side_by_side(world, world.clock.now + 100)
    assert world.held_tokens()
    world.cancel()
    side_by_side(world)
    world.finish()
    assert world.wrongs() == []
    assert world.record(world.cases[0].batch_id)["status"] == "cancelled"


def test_an_execution_that_is_stopped_leaves_nothing_in_the_ledger() -> None:
    world = limited(4 * LINE)
    world.upload(FORTY)
    side_by_side(world, world.clock.now + 100)
    world.abort(0)
    world.finish()
    assert world.wrongs() == []


def test_no_hour_has_more_creations_than_the_provider_allows() -> None:
    world = limited(None, max_creates_per_hour=5)
    assert ran(world) == {}
    made = sorted(made.created_at or 0 for made in world.provider.batches.values())
    assert len(made) == 10
    assert max(sum(at <= other < at + HOUR for other in made) for at in made) <= 5


def test_who_waits_does_not_look_more_often_for_it() -> None:
    world = limited(4 * LINE)
    world.provider.fates = [Fate(seconds=2 * HOUR) for _ in range(50)]
    world.upload(FORTY)
    side_by_side(world)
    submits = Counter(step.shard for step in world.machine.payloads if step.next == "submit")
    assert max(submits.values()) <= 20 * HOUR / world.services.settings.retry_ceiling_seconds + 30
    assert world.machine.turns < 2_500


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_step_is_struck_at_any_call_while_room_is_scarce(kind: str, *, after: bool) -> None:
    ids, limit = FORTY[:9], 3 * LINE

    def struck(at: int | None) -> StruckWorld:
        world = limited(limit)
        world.strikes.due = None if at is None else Strike(kind, at, after)
        world.upload(ids)
        side_by_side(world)
        world.finish(calm=False)
        return world

    for at in range(0, struck(None).strikes.count, 11):
        world = struck(at)
        assert world.wrongs() == [], f"at effect {at}: {world.strikes.struck}"
        assert world.record(world.cases[0].batch_id)["counts"]["completed"] == len(ids)


def corrected(world: StruckWorld, looks: int = 10_000) -> dict[str, int]:
    """Correct the ledgers in a run that may look at the clock so often before its time is up."""
    left = iter([*[RESERVE + 1] * looks, *[RESERVE] * 10_000])
    shift = SweepRun(world.services, lambda: next(left))
    correct_ledgers(shift)
    return dict(shift.done)


@pytest.mark.parametrize("looks", [1, 3])
def test_a_correction_that_runs_out_of_time_goes_on_behind_the_last_claim_it_saw(looks: int) -> None:
    world = limited(None)
    room = world.memory.account().token_ledgers
    for model in ("m0", "m1"):
        for number in range(5):
            room.take(f"provider#{model}", Reservation(attempt=f"batch_gone/{number}/1", since=0, wanted=7), Terms(), 0)
    room.change("provider#m0", enqueued=10**6)
    runs = [corrected(world, looks) for _ in range(-(-10 // looks) + 1)]
    assert max(run.get("ReservationsReleased", 0) for run in runs) <= looks
    assert sum(run.get("ReservationsReleased", 0) for run in runs) == 10
    assert [room.read(name).enqueued for name in room.names()] == [0, 0]
    assert world.memory.sweep_store.bookmark("ledgers") == {}


def test_the_sweep_s_correction_gives_back_what_nobody_holds_any_more_and_nothing_else() -> None:
    world = limited(None)
    world.upload(FORTY)
    side_by_side(world, world.clock.now + 60)
    room, (name,) = world.memory.account().token_ledgers, world.memory.account().token_ledgers.names()
    held = {reservation.attempt: reservation.tokens for reservation in room.reservations(name)}
    assert corrected(world) == {}
    room.take(name, Reservation(attempt="batch_gone/0/1", since=0, wanted=7), Terms(), 0)
    room.change(name, enqueued=7 * 10**6)
    assert corrected(world) == {"ReservationsReleased": 1, "LedgersCorrected": 1}
    assert room.read(name).enqueued == sum(held.values())
