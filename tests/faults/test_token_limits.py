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
from tests.faults.provider import NEVER_SEEN, Fate, no_room
from tests.faults.scene import Scene
from tests.faults.strikes import Strike
from tests.integration.batchyard.world import jsonl, request

FORTY = [f"r{at:02}" for at in range(40)]
LINE = 27  # tokens of one request, as the provider counts them, at most; we expect some forty
DAY, HOUR = 86_400, 3_600
MOST_TURNS = 20_000


def side_by_side(scene: Scene, until: float = float("inf")) -> None:
    """Play all shards at once: whichever is due next goes on."""
    while scene.machine.running and scene.clock.now < until:
        assert scene.machine.turns < MOST_TURNS, "hangs"
        (execution,) = scene.machine.running
        due = [execution.shards[number].due for number in execution.open]
        scene.machine.turn(execution, due.index(min(due)) if due else 0)


def ran(scene: Scene, ids: list[str] = FORTY) -> dict[str, str]:
    """Run a batch with its shards side by side, and answer the errors it ends with, by custom_id."""
    scene.drop(ids)
    side_by_side(scene)
    scene.finish()
    assert scene.wrongs() == []
    lines = [json.loads(line) for line in (scene.result("errors.jsonl") or b"").splitlines()]
    return {each["custom_id"]: each["error"]["code"] for each in lines}


def limited(limit: int | None, **settings: Any) -> Scene:
    scene = Scene(**{"max_requests_per_shard": 4, **settings})
    scene.provider.token_limit = limit
    return scene


@pytest.mark.parametrize("shards", [1, 2, 3, 5])
def test_ten_shards_finish_under_a_limit_that_fits_a_few_and_few_creates_are_refused(shards: int) -> None:
    scene = limited(4 * LINE * shards)
    assert ran(scene) == {}
    assert scene.provider.refused_for_tokens <= 2
    assert len(scene.provider.made) - scene.provider.refused_for_tokens == 10
    assert scene.provider.most_queued <= 4 * LINE * shards
    assert scene.provider.calls.count("create_file") == 10


def test_what_was_learned_is_kept_for_the_next_batch() -> None:
    scene = limited(4 * LINE)
    ran(scene)
    refused = scene.provider.refused_for_tokens
    scene.drop([f"s{at}" for at in range(40)])
    side_by_side(scene)
    assert scene.provider.refused_for_tokens == refused


def test_a_limit_that_is_configured_is_never_met() -> None:
    scene = limited(4 * LINE, max_enqueued_tokens=f"other=7,m0={5 * LINE}")
    assert ran(scene) == {}
    assert scene.provider.refused_for_tokens == 0


@pytest.mark.parametrize("tells", [True, False], ids=["stated", "not stated"])
@pytest.mark.parametrize("lines_a_shard", [4, 40])
def test_a_shard_larger_than_the_limit_goes_in_waves(lines_a_shard: int, *, tells: bool) -> None:
    scene = limited(3 * LINE, max_requests_per_shard=lines_a_shard)
    scene.provider.tells_limit = tells
    assert ran(scene) == {}
    assert all(len(made.custom_ids) <= 3 for made in scene.provider.made.values() if made.tokens)
    if tells:
        assert scene.provider.refused_for_tokens <= 2


@pytest.mark.parametrize("befalls", ["missing", "never_seen"])
def test_a_wave_that_is_never_answered_takes_no_line_with_it_that_was_not_in_it(befalls: str) -> None:
    scene = limited(3 * LINE, max_requests_per_shard=40, max_enqueued_tokens=str(4 * LINE))
    lost = FORTY[:2]
    if befalls == "missing":
        scene.provider.fates = [Fate(lines=dict.fromkeys(lost, "missing")) for _ in range(60)]
    else:
        scene.provider.fates = [Fate("failed", errors=(ProviderBatchError(NEVER_SEEN, "?"),)) for _ in range(3)]
    found = ran(scene)
    assert 2 <= len(found) <= 3
    assert set(lost) <= set(found) <= set(FORTY[:3])
    assert set(found.values()) == {NEVER_SEEN if befalls == "never_seen" else "no_answer"}
    assert all(scene.provider.sent[each] == 3 for each in found)


@pytest.mark.parametrize("window", [DAY, 0.95 * DAY])
def test_a_provider_that_has_no_time_for_a_batch_day_after_day_costs_no_try(window: float) -> None:
    scene = limited(3 * LINE)
    scene.provider.fates = [Fate("expired", seconds=window, share=0.0) for _ in range(7)]
    assert ran(scene, FORTY[:8]) == {}


def test_a_provider_that_takes_batches_back_at_once_is_not_tried_for_ever() -> None:
    scene = limited(None)
    scene.provider.fates = [Fate("expired", seconds=60, share=0.0) for _ in range(9)]
    assert set(ran(scene, FORTY[:4]).values()) == {"batch_expired"}
    assert len(scene.provider.made) == 3


@pytest.mark.parametrize("times", [4, 9])
def test_a_provider_that_has_no_room_time_after_time_costs_no_try(times: int) -> None:
    scene = limited(None)
    scene.provider.fates = [Fate("failed", errors=(no_room("m0", None),)) for _ in range(times)]
    assert ran(scene, FORTY[:4]) == {}


def test_text_denser_than_estimated_finishes_all_the_same() -> None:
    scene = limited(8 * LINE, max_requests_per_shard=40)
    scene.provider.bytes_per_token = 1
    assert ran(scene) == {}
    assert scene.provider.refused_for_tokens <= 8


def test_usage_that_says_less_than_the_queue_counts_is_seen_through() -> None:
    scene = limited(8 * LINE)
    scene.provider.usage_is_a = 9
    assert ran(scene) == {}
    assert scene.provider.refused_for_tokens <= 4


def test_a_line_larger_than_the_limit_is_an_error_and_the_others_go_on() -> None:
    scene = limited(6 * LINE, max_requests_per_shard=40)
    big = request("big", model="m0", prompt="x" * 4 * 6 * LINE)
    requests = [request(each, model="m0") for each in FORTY]
    data = jsonl([*requests[:7], big, *requests[7:]])
    ids = [*FORTY[:7], "big", *FORTY[7:]]
    scene.drop(ids)
    scene.memory.fake_bucket.stored["inbox/default/0.jsonl"] = data
    source = scene.memory.fake_bucket.head("inbox/default/0.jsonl")[0]
    scene.memory.table._replace(scene.cases[0].batch_id, {"input": source})
    side_by_side(scene)
    scene.provider.refused.add("big")
    scene.finish()
    assert scene.wrongs() == []
    (error,) = [json.loads(line) for line in (scene.result("errors.jsonl") or b"").splitlines()]
    assert (error["custom_id"], error["error"]["code"]) == ("big", "token_limit_exceeded")
    assert f"{6 * LINE:,} enqueued tokens" in error["error"]["message"]


def test_a_queue_that_others_fill_is_waited_for_and_nothing_is_given_up() -> None:
    scene = limited(40 * LINE)
    scene.provider.others = 40 * LINE
    scene.drop(FORTY)
    side_by_side(scene, scene.clock.now + DAY)
    assert not scene.provider.sent or set(scene.provider.ran) == set()
    assert scene.provider.refused_for_tokens < 400
    assert "room" in (scene.record(scene.cases[0].batch_id)["paused"] or "")
    scene.provider.others = 0
    side_by_side(scene)
    scene.finish()
    assert scene.wrongs() == []
    assert not scene.result("errors.jsonl")


def test_a_limit_that_rises_is_noticed_by_trying_rarely() -> None:
    scene = limited(4 * LINE)
    scene.provider.fates = [Fate(seconds=4 * HOUR) for _ in range(50)]
    scene.drop([f"r{at}" for at in range(10, 70)])
    side_by_side(scene, scene.clock.now + 5 * HOUR)
    assert scene.provider.refused_for_tokens <= 2
    assert scene.provider.most_queued <= 4 * LINE
    scene.provider.token_limit = 20 * LINE
    side_by_side(scene)
    scene.finish()
    assert scene.wrongs() == []
    assert scene.provider.refused_for_tokens <= 2
    assert scene.provider.most_queued > 4 * LINE


def test_a_limit_that_stays_is_tried_rarely() -> None:
    scene = limited(4 * LINE)
    scene.provider.fates = [Fate(seconds=8 * HOUR) for _ in range(50)]
    scene.drop(FORTY)
    side_by_side(scene)
    scene.finish()
    assert scene.wrongs() == []
    assert scene.provider.refused_for_tokens <= 2 + 80 // 24


def test_a_batch_that_is_cancelled_while_it_waits_leaves_nothing_in_the_ledger() -> None:
    scene = limited(4 * LINE)
    scene.drop(FORTY)
    side_by_side(scene, scene.clock.now + 100)
    assert scene.held_tokens()
    scene.cancel()
    side_by_side(scene)
    scene.finish()
    assert scene.wrongs() == []
    assert scene.record(scene.cases[0].batch_id)["status"] == "cancelled"


def test_an_execution_that_is_stopped_leaves_nothing_in_the_ledger() -> None:
    scene = limited(4 * LINE)
    scene.drop(FORTY)
    side_by_side(scene, scene.clock.now + 100)
    scene.abort(0)
    scene.finish()
    assert scene.wrongs() == []


def test_no_hour_has_more_creations_than_the_provider_allows() -> None:
    scene = limited(None, max_creates_per_hour=5)
    assert ran(scene) == {}
    made = sorted(made.batch.created_at or 0 for made in scene.provider.made.values())
    assert len(made) == 10
    assert max(sum(at <= other < at + HOUR for other in made) for at in made) <= 5


def test_who_waits_does_not_look_more_often_for_it() -> None:
    scene = limited(4 * LINE)
    scene.provider.fates = [Fate(seconds=2 * HOUR) for _ in range(50)]
    scene.drop(FORTY)
    side_by_side(scene)
    submits = Counter(step.shard for step in scene.machine.payloads if step.next == "submit")
    assert max(submits.values()) <= 20 * HOUR / scene.memory.settings.retry_ceiling_seconds + 30
    assert scene.machine.turns < 2_500


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_step_is_struck_at_any_call_while_room_is_scarce(kind: str, *, after: bool) -> None:
    ids, limit = FORTY[:9], 3 * LINE

    def struck(at: int | None) -> Scene:
        scene = limited(limit)
        scene.strikes.due = None if at is None else Strike(kind, at, after)
        scene.drop(ids)
        side_by_side(scene)
        scene.finish(calm=False)
        return scene

    for at in range(0, struck(None).strikes.count, 11):
        scene = struck(at)
        assert scene.wrongs() == [], f"at effect {at}: {scene.strikes.struck}"
        assert scene.record(scene.cases[0].batch_id)["counts"]["completed"] == len(ids)


def corrected(scene: Scene, looks: int = 10_000) -> dict[str, int]:
    """Correct the ledgers in a run that may look at the clock so often before its time is up."""
    left = iter([*[RESERVE + 1] * looks, *[RESERVE] * 10_000])
    shift = SweepRun(scene.services, lambda: next(left))
    correct_ledgers(shift)
    return dict(shift.done)


@pytest.mark.parametrize("looks", [1, 3])
def test_a_correction_that_runs_out_of_time_goes_on_behind_the_last_claim_it_saw(looks: int) -> None:
    scene = limited(None)
    room = scene.memory.room
    for model in ("m0", "m1"):
        for number in range(5):
            room.take(f"provider#{model}", Reservation(attempt=f"batch_gone/{number}/1", since=0, wanted=7), Terms(), 0)
    room.change("provider#m0", enqueued=10**6)
    runs = [corrected(scene, looks) for _ in range(-(-10 // looks) + 1)]
    assert max(run.get("ClaimsReleased", 0) for run in runs) <= looks
    assert sum(run.get("ClaimsReleased", 0) for run in runs) == 10
    assert [room.read(name).enqueued for name in room.names()] == [0, 0]
    assert scene.memory.sweep_store.bookmark("ledgers") == {}


def test_the_sweep_s_correction_gives_back_what_nobody_holds_any_more_and_nothing_else() -> None:
    scene = limited(None)
    scene.drop(FORTY)
    side_by_side(scene, scene.clock.now + 60)
    room, (name,) = scene.memory.room, scene.memory.room.names()
    held = {reservation.attempt: reservation.tokens for reservation in room.reservations(name)}
    assert corrected(scene) == {}
    room.take(name, Reservation(attempt="batch_gone/0/1", since=0, wanted=7), Terms(), 0)
    room.change(name, enqueued=7 * 10**6)
    assert corrected(scene) == {"ClaimsReleased": 1, "LedgersCorrected": 1}
    assert room.read(name).enqueued == sum(held.values())
