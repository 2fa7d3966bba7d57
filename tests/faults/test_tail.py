"""What may become of the tail of a shard that is sent line by line at its deadline: paid once, whatever befalls it."""

from __future__ import annotations

import json

import pytest

from batch_client import RateLimitError
from batchyard.shards.direct import AT_ONCE
from tests.fakes.failures import lost, never_sent
from tests.faults.provider import Fate, Trouble
from tests.faults.strikes import Strike
from tests.faults.struck import StruckWorld

LINES = [f"r{at:02}" for at in range(20)]
HALF = len(LINES) // 2
DAY = 86_400


def world() -> StruckWorld:
    """Make services with one shard, whose first provider batch never ends and has run half of it when it is cancelled."""
    made = StruckWorld(deadline_action="finish", poll_floor_seconds=DAY // 4, poll_ceiling_seconds=DAY)
    made.provider.fates = [Fate(seconds=10 * DAY, share=0.5)]
    return made


def unknown(played: StruckWorld) -> list[str]:
    """Name the lines whose outcome nobody knows, which must be all errors there are."""
    errors = [json.loads(line) for line in (played.first_result("errors.jsonl") or b"").splitlines()]
    assert {each["error"]["code"] for each in errors} <= {"outcome_unknown"}
    return [each["custom_id"] for each in errors]


def effects_from_the_deadline_on() -> range:
    played = world()
    played.upload(LINES)
    played.play_until("cancel_batch")
    first = played.strikes.count
    played.finish()
    assert played.wrongs() == []
    assert unknown(played) == []
    assert len(played.provider.direct) == HALF
    assert len(played.provider.made) == 1
    return range(first, played.strikes.count)


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_step_is_struck_at_any_call_it_makes_to_aws(kind: str, *, after: bool) -> None:
    heard_nothing = kind == "kill" or (kind == "fail" and after)  # of an effect that took place, or of an answer
    without = 0
    for at in effects_from_the_deadline_on():
        played = world()
        played.strikes.due = Strike(kind, at, after)
        batch_id = played.upload(LINES)
        played.finish(calm=False)
        where = f"at effect {at}: {played.strikes.struck}"
        assert played.wrongs() == [], where
        assert max(played.provider.asked.values(), default=0) <= 1, where
        assert played.record(batch_id)["status"] == "completed", where
        assert len(unknown(played)) <= (AT_ONCE if heard_nothing else 0), where
        without += bool(unknown(played))
    assert (without > 0) == heard_nothing


@pytest.mark.parametrize("after", [False, True], ids=["before it was run", "after it was run"])
@pytest.mark.parametrize("count", [1, 3])
def test_answers_are_lost_and_nothing_is_sent_again(count: int, *, after: bool) -> None:
    played = world()
    played.provider.troubles = [Trouble(lost, after, "send")] * count
    played.upload(LINES)
    played.finish(calm=False)
    assert played.wrongs() == []
    assert len(unknown(played)) == count
    assert max(played.provider.asked.values()) == 1
    assert len(played.provider.made) == 2, "what was not sent goes by batch"


def test_answers_to_the_last_lines_are_lost() -> None:
    played = world()
    played.provider.troubles = [Trouble(lost, after=True, operation="send")]
    played.upload(LINES[:4])
    played.finish(calm=False)
    assert played.wrongs() == []
    assert len(unknown(played)) == 1
    assert len(played.provider.made) == 1


@pytest.mark.parametrize(
    "refusal", [lambda _: never_sent(), lambda _: RateLimitError("slow down", status=429)], ids=["no connection", "429"]
)
def test_lines_that_were_not_run_are_sent_in_a_batch(refusal: object) -> None:
    played = world()
    played.provider.troubles = [Trouble(refusal, operation="send")] * HALF  # type: ignore[arg-type]
    played.upload(LINES)
    played.finish(calm=False)
    assert played.wrongs() == []
    assert unknown(played) == []
    assert len(played.provider.made) == 2
    assert not played.provider.direct


def test_the_batch_is_cancelled_while_its_tail_is_sent() -> None:
    played = world()
    played.upload(LINES)
    played.play_until("send")
    played.cancel()
    played.finish()
    assert played.wrongs() == []
    assert played.record(played.cases[0].batch_id)["status"] in {"cancelled", "completed"}


def test_every_step_is_delivered_twice_and_again_after_the_end() -> None:
    played = world()
    played.upload(LINES)
    while played.machine.running:
        for execution in played.machine.running:
            played.machine.turn(execution)
            played.machine.replay(-1)
    played.finish()
    for at in range(len(played.machine.payloads)):
        played.machine.replay(at)
    assert played.wrongs() == []
    assert unknown(played) == []
    assert set(played.provider.asked.values()) == {1}
