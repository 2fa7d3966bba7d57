"""A retry of a cancelled batch, struck at any effect: every line is answered once, and no answer is paid for twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchyard.api.batches import retry_batch
from tests.faults.provider import Fate
from tests.faults.strikes import Strike
from tests.faults.struck import StruckWorld

LINES = [f"r{at:02}" for at in range(12)]


def half_done() -> tuple[StruckWorld, str]:
    """Make a world whose only batch was cancelled when half of its lines had run."""
    played = StruckWorld(max_requests_per_shard=6)
    played.provider.fates = [Fate(seconds=100_000, share=0.5)] * 2
    batch_id = played.upload(LINES)
    played.play_until("retrieve_batch")
    played.cancel()
    played.finish()
    played.provider.fates = []
    return played, batch_id


def retried(played: StruckWorld, batch_id: str) -> str:
    made: list[Any] = []
    played.machine.deliver(lambda: made.append(retry_batch(played.services, "default", batch_id, {})["id"]))
    return str(made[-1])


def named(played: StruckWorld, batch_id: str, name: str) -> list[str]:
    data = played.found(f"results/default/{batch_id}/{name}") or b""
    return [json.loads(line)["custom_id"] for line in data.splitlines()]


def play(played: StruckWorld) -> None:
    played.finish(calm=False)


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail"])
def test_a_retry_is_struck_at_any_effect(kind: str, *, after: bool) -> None:
    played, parent = half_done()
    first = played.strikes.count
    answered = named(played, parent, "output.jsonl")
    assert 0 < len(answered) < len(LINES)
    child = retried(played, parent)
    play(played)
    assert named(played, child, "output.jsonl") == LINES
    struck = 0
    for at in range(played.strikes.count - first):  # from the retry on
        again, parent = half_done()
        asked = dict(again.provider.sent)
        again.strikes.due = Strike(kind, at, after)
        child = retried(again, parent)
        play(again)
        where = f"at effect {at}: {again.strikes.struck}"
        struck += bool(again.strikes.struck)
        assert again.record(child)["status"] == "completed", where
        assert named(again, child, "output.jsonl") == LINES, where
        assert not named(again, child, "errors.jsonl"), where
        assert all(again.provider.sent[each] == asked[each] for each in answered), where
    assert struck > 20
