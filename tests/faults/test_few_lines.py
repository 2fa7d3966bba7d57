"""What may become of fewer lines than the service takes as a batch: they go one by one, paid once, whatever befalls them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from batch_client import PROFILES, AuthenticationError, RateLimitError
from batchyard.shards.direct import AT_ONCE
from tests.fakes.failures import lost, never_sent
from tests.faults.provider import Fate, Trouble
from tests.faults.strikes import Strike, some
from tests.faults.struck import StruckWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_client import BatchClientError

LEAST = 4
FEW = [f"r{at:02}" for at in range(LEAST - 1)]
MOST = 3 * 180  # bytes of a file, in which no four lines find place
MANY = [f"r{at:02}" for at in range(LEAST + 1)]


@pytest.fixture(autouse=True)
def _known_service(monkeypatch: pytest.MonkeyPatch) -> None:
    known = PROFILES["compatible"]
    facts = msgspec.structs.replace(known.facts, least_lines=LEAST)
    monkeypatch.setitem(PROFILES, "few", msgspec.structs.replace(known, name="few", facts=facts))


def world(fates: list[Fate] | None = None, **settings: Any) -> StruckWorld:
    made = StruckWorld(provider_profile="few", **settings)
    made.provider.fates = fates or []
    return made


def unknown(played: StruckWorld) -> list[str]:
    """Name the lines whose outcome nobody knows, which must be all errors there are."""
    errors = [json.loads(line) for line in (played.first_result("errors.jsonl") or b"").splitlines()]
    assert {each["error"]["code"] for each in errors} <= {"outcome_unknown"}
    return [each["custom_id"] for each in errors]


def halves() -> list[Fate]:
    """Say that the first provider batch runs half of its lines, so that fewer are left than make another."""
    return [Fate("expired", share=0.5)]


@pytest.mark.parametrize(("lines", "fates", "made"), [(FEW, list, 0), (MANY, halves, 1)], ids=["few", "what is left"])
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_step_is_struck_at_any_call_it_makes_to_aws(
    kind: str, lines: list[str], fates: Callable[[], list[Fate]], made: int, *, after: bool
) -> None:
    whole = world(fates())
    whole.upload(lines)
    whole.finish()
    assert (whole.wrongs(), unknown(whole), len(whole.provider.made)) == ([], [], made)
    assert set(whole.provider.direct) <= set(lines)
    for at in some(range(whole.strikes.count), kind, after=after):
        played = world(fates())
        played.strikes.due = Strike(kind, at, after)
        batch_id = played.upload(lines)
        played.finish(calm=False)
        where = f"at effect {at}: {played.strikes.struck}"
        assert played.wrongs() == [], where
        assert max(played.provider.asked.values(), default=0) <= 1, where
        assert played.record(batch_id)["status"] == "completed", where
        assert len(unknown(played)) <= AT_ONCE, where
        assert len(played.provider.made) == made, where


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_part_of_few_lines_is_struck_at_any_call_it_makes_to_aws(kind: str, *, after: bool) -> None:
    def cut() -> StruckWorld:
        """Let the provider take files of three lines at most, and so no batch of any."""
        made = world()
        made.provider.most_bytes = MOST
        return made

    whole = cut()
    whole.upload(MANY)
    whole.finish()
    assert (whole.wrongs(), unknown(whole), len(whole.provider.made)) == ([], [], 0)
    assert set(whole.provider.direct) == set(MANY)
    for at in some(range(whole.strikes.count), kind, after=after):
        played = cut()
        played.strikes.due = Strike(kind, at, after)
        batch_id = played.upload(MANY)
        played.finish(calm=False)
        where = f"at effect {at}: {played.strikes.struck}"
        assert played.wrongs() == [], where
        assert max(played.provider.asked.values(), default=0) <= 1, where
        assert played.record(batch_id)["status"] == "completed", where
        assert len(unknown(played)) <= AT_ONCE, where
        assert not played.provider.made, where


@pytest.mark.parametrize("refusal", [
    lambda _: never_sent(), lambda _: RateLimitError("slow down", status=429),
    lambda _: AuthenticationError("no such key", status=403),
], ids=["no connection", "429", "no right"])  # fmt: skip
def test_lines_that_are_refused_wait_say_so_and_go_again(refusal: Callable[[str], BatchClientError]) -> None:
    played = world()
    played.provider.troubles += [Trouble(refusal, operation="send")] * 10 * len(FEW)  # a refused key is tried twice
    batch_id = played.upload(FEW)
    waits = []
    for _ in range(4):
        played.play_until("send")
        waits.append(played.memory.batch_store.batch(batch_id).paused)
    assert any(waits), "whoever looks is told"
    (shard,) = played.memory.batch_store.shards(batch_id)
    assert len(shard.attempts) <= 6, "each try waits longer than the last"
    played.finish()
    assert (played.wrongs(), unknown(played)) == ([], [])
    assert not played.provider.made


def test_answers_are_lost_and_nothing_is_sent_again() -> None:
    played = world()
    played.provider.troubles = [Trouble(lost, after=True, operation="send")]
    played.upload(FEW)
    played.finish(calm=False)
    assert played.wrongs() == []
    assert len(unknown(played)) == 1
    assert max(played.provider.asked.values()) == 1
    assert not played.provider.made


def test_a_batch_is_cancelled_while_its_lines_wait() -> None:
    played = world()
    played.provider.troubles += [Trouble(lambda _: RateLimitError("slow down", status=429), operation="send")] * 10_000
    batch_id = played.upload(FEW)
    played.play_until("send")
    played.cancel()
    played.finish(calm=False)
    assert played.wrongs() == []
    assert played.record(batch_id)["status"] == "cancelled"
    assert not played.provider.direct


def test_a_large_group_leaves_no_shard_with_too_few() -> None:
    played = world(max_requests_per_shard=2 * LEAST)
    played.upload([f"r{at:02}" for at in range(4 * LEAST + 1)])
    played.finish()
    assert played.wrongs() == []
    assert not played.provider.direct
    assert sorted(len(made.custom_ids) for made in played.provider.made.values()) == [LEAST, LEAST + 1, 2 * LEAST]
