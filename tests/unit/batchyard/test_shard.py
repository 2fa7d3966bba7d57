"""Attempts are numbered once and for all, and only what left nothing is forgotten."""

from batchyard.shard import KEPT_ATTEMPTS, begin_attempt, change_attempt, new_shard
from batchyard.splitting import Place, ShardLines
from tests.unit.batchyard.memory import NOW, batch


def test_attempts_keep_their_numbers_and_their_runs_however_many_there_are() -> None:
    lines = ShardLines(0, "/v1/responses", "m")
    lines.add(Place(0, 1, 0), ["a"], [1])
    shard = new_shard(batch(), lines)
    for number in range(1, 3 * KEPT_ATTEMPTS + 1):
        shard = change_attempt(begin_attempt(shard, NOW), ended_at=NOW, transient=int(number in {5, 50}))
    numbers = [attempt.number for attempt in shard.attempts]
    assert numbers[:2] == [5, 50]
    assert numbers[2:] == list(range(2 * KEPT_ATTEMPTS, 3 * KEPT_ATTEMPTS + 1))
