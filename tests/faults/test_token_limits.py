"""A provider that takes only so many tokens at once, and tells so only by failing what is too much."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from batchyard.capacity import Claim, Terms
from batchyard.ledger import rebuild
from tests.faults.provider import Fate
from tests.faults.strikes import Strike
from tests.faults.yard import Scene
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
        due = [each.due for each in execution.shards.values() if each.step.next not in {"done", "relay"}]
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
    scene.memory.bucket.stored["inbox/default/0.jsonl"] = data
    source = scene.memory.bucket.head("inbox/default/0.jsonl")[0]
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


def test_the_sweep_s_correction_gives_back_what_nobody_holds_any_more_and_nothing_else() -> None:
    scene = limited(None)
    scene.drop(FORTY)
    side_by_side(scene, scene.clock.now + 60)
    room, (name,) = scene.memory.room, scene.memory.room.names()
    held = {claim.attempt: claim.tokens for claim in room.claims(name)}
    assert rebuild(scene.yard) == {"stale_claims": 0, "wrong_sums": 0}
    room.take(name, Claim(attempt="batch_gone/0/1", since=0, wanted=7), Terms(), 0)
    room.change(name, enqueued=7 * 10**6)
    found = rebuild(scene.yard)
    assert found == {"stale_claims": 1, "wrong_sums": 1}
    assert room.read(name).enqueued == sum(held.values())
