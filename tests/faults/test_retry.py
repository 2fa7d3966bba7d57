"""A retry of a cancelled batch, struck at any effect: every line is answered once, and no answer is paid for twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.provider import Fate
from tests.faults.strikes import Strike, some
from tests.faults.struck import StruckWorld

LINES = [f"r{at:02}" for at in range(12)]
# How a retry is asked for: its class of lines, what it changes in their bodies, and whether by an upload.
WAYS: dict[str, dict[str, Any]] = {
    "a request": {"lines": "errors"},
    "an upload with another model": {"lines": "cancelled", "body": {"model": "m1"}, "uploads": True},
}


def half_done() -> StruckWorld:
    """Make a world whose only batch was cancelled when half of its lines had run."""
    played = StruckWorld(max_requests_per_shard=6)
    played.provider.fates = [Fate(seconds=100_000, share=0.5)] * 2
    played.upload(LINES)
    played.play_until("retrieve_batch")
    played.cancel()
    played.finish()
    played.provider.fates = []
    return played


def named(played: StruckWorld, batch_id: str, name: str) -> list[str]:
    data = played.found(f"results/default/{batch_id}/{name}") or b""
    return [json.loads(line)["custom_id"] for line in data.splitlines()]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail"])
def test_a_retry_is_struck_at_any_effect(kind: str, way: str, *, after: bool) -> None:
    played = half_done()
    first, answered = played.strikes.count, named(played, played.cases[0].batch_id, "output.jsonl")
    assert 0 < len(answered) < len(LINES)
    child = played.retry(**WAYS[way])
    played.finish(calm=False)
    assert named(played, child or "", "output.jsonl") == LINES
    struck = 0
    for at in some(range(played.strikes.count - first), kind, after=after):  # from the retry on
        again = half_done()
        asked = dict(again.provider.sent)
        again.strikes.due = Strike(kind, at, after)
        child = again.retry(**WAYS[way]) or ""
        again.finish(calm=False)
        where = f"at effect {at}: {again.strikes.struck}"
        struck += bool(again.strikes.struck)
        assert again.record(child)["status"] == "completed", where
        assert named(again, child, "output.jsonl") == LINES, where
        assert not named(again, child, "errors.jsonl"), where
        assert all(again.provider.sent[each] == asked[each] for each in answered), where
        assert again.wrongs() == [], where
    assert struck > 10


def test_retries_of_retries_are_each_struck_by_a_death() -> None:
    played = half_done()
    for at, (lines, body) in enumerate((("errors", {"seed": 1}), ("all", None), ("all", {"model": "m1"}))):
        played.provider.fates = [Fate(seconds=10, lines={"r03": "refused", "r08": "unavailable"})]
        played.strikes.due = Strike("kill", 12 + 9 * at, after=bool(at % 2))
        assert played.retry(lines, body, uploads=bool(at % 2))
        played.finish(calm=False)
    assert len(played.strikes.struck) == 3
    assert played.wrongs() == []
