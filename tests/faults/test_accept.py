"""Answers that are not accepted, and answers by flex processing: each is paid once and billed rightly, whatever befalls."""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal
from typing import Any, Final

import pytest

from batch_client import RateLimitError
from batchyard.shards.direct import AT_ONCE
from tests.fakes.failures import lost
from tests.faults.answers import SAYS
from tests.faults.provider import Fate, Trouble
from tests.faults.strikes import Strike, some
from tests.faults.struck import StruckWorld

DAY: Final = 86_400
LINES: Final = [f"r{at:02}" for at in range(16)]
HALF: Final = len(LINES) // 2
ACCEPT: Final = '{"finish_reason": ["stop"], "not_empty": true}'
# US dollars per million tokens of input and output, read off OpenAI's list by hand: in a batch, by flex, and at the full price.
BATCH, FLEX, FULL = "batch", "flex", "default"
PRICES: Final = {
    "o4-mini": {BATCH: ("0.55", "2.2"), FLEX: ("0.55", "2.2"), FULL: ("1.1", "4.4")},
    "gpt-5-nano": {BATCH: ("0.025", "0.2"), FLEX: ("0.025", "0.2"), FULL: ("0.05", "0.4")},
    "gpt-4.1-mini": {BATCH: ("0.2", "0.8"), FLEX: ("0.4", "1.6"), FULL: ("0.4", "1.6")},
}  # fmt: skip


def world(**settings: Any) -> StruckWorld:
    """Make services with one shard, whose first provider batch never ends and has run half of it when it is cancelled."""
    made = StruckWorld(
        **{"deadline_action": "finish", "poll_floor_seconds": DAY // 4, "poll_ceiling_seconds": DAY,
           "provider_profile": "openai", **settings}
    )  # fmt: skip
    made.models = tuple(PRICES)
    made.provider.fates = [Fate(seconds=10 * DAY, share=0.5)]
    return made


def odd(played: StruckWorld) -> None:
    """Have answers of every sort: in the provider batches, and of the requests that are sent on their own."""
    sorts = [*SAYS]
    played.provider.fates[0].lines = {each: sorts[at % len(sorts)] for at, each in enumerate(LINES[:4])}
    played.provider.own = {LINES[-1]: "cut off", LINES[-2]: "silent"}
    played.provider.flex = {LINES[-1]: "full", LINES[-3]: "full", LINES[-4]: "default"}


def outcomes(played: StruckWorld) -> tuple[list[str], dict[str, str]]:
    output = (played.first_result("output.jsonl") or b"").splitlines()
    errors = [json.loads(line) for line in (played.first_result("errors.jsonl") or b"").splitlines()]
    return [json.loads(line)["custom_id"] for line in output], {
        each["custom_id"]: each["error"]["code"] for each in errors
    }


def effects() -> range:
    played = world()
    odd(played)
    played.upload(LINES, options={"accept": ACCEPT})
    played.play_until("cancel_batch")
    first = played.strikes.count
    played.finish()
    assert played.wrongs() == []
    assert outcomes(played) == (LINES, {})
    assert Counter(by for _, by, _ in played.provider.alone) == {FLEX: HALF + 1, FULL: 3}
    return range(first, played.strikes.count)


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_step_is_struck_at_any_effect_and_no_accepted_line_is_sent_again(kind: str, *, after: bool) -> None:
    heard_nothing = kind == "kill" or (kind == "fail" and after)
    for at in some(effects(), kind, after=after):
        played = world()
        odd(played)
        played.strikes.due = Strike(kind, at, after)
        batch_id = played.upload(LINES, options={"accept": ACCEPT})
        played.finish(calm=False)
        where = f"at effect {at}: {played.strikes.struck}"
        assert played.wrongs() == [], where
        assert played.record(batch_id)["status"] == "completed", where
        errors = outcomes(played)[1]
        assert set(errors.values()) <= {"outcome_unknown"}, where
        assert len(errors) <= (AT_ONCE if heard_nothing else 0), where


@pytest.mark.parametrize("after", [False, True], ids=["before it was run", "after it was run"])
def test_a_request_by_flex_whose_answer_is_lost_is_not_sent_without(*, after: bool) -> None:
    played = world()
    played.provider.troubles = [Trouble(lost, after, "send")] * 2
    played.upload(LINES)
    played.finish(calm=False)
    assert played.wrongs() == []
    assert list(outcomes(played)[1].values()) == ["outcome_unknown"] * 2
    assert max(played.provider.asked.values()) == 1


def test_where_nobody_has_room_what_is_left_goes_by_batch() -> None:
    played = world()
    played.provider.flex = dict.fromkeys(LINES, "full")
    played.provider.troubles = [Trouble(lambda _: RateLimitError("slow down", status=429), operation="send")] * HALF
    played.upload(LINES)
    played.finish(calm=False)
    assert played.wrongs() == []
    assert outcomes(played) == (LINES, {})
    assert len(played.provider.made) == 2
    assert not played.provider.alone


def test_answers_that_are_never_accepted_are_errors_with_the_answers_inside() -> None:
    played = world(deadline_action="wait")
    lines = {LINES[0]: "cut off", LINES[5]: "silent", LINES[9]: "refusing"}
    played.provider.fates = [Fate(lines=lines)] * 5
    played.upload(LINES, options={"accept": ACCEPT})
    played.finish()
    assert played.wrongs() == []
    assert outcomes(played)[1] == dict.fromkeys(lines, "answer_not_accepted")
    assert {each: played.provider.sent[each] for each in lines} == dict.fromkeys(lines, 3)


def fate(chance: random.Random) -> Fate:
    sorts = ["good", "good", "unavailable", "empty", *SAYS]
    lines = {each: chance.choice(sorts) for each in LINES if chance.random() < 0.4}
    return Fate(
        chance.choice(["completed", "expired"]),
        seconds=chance.choice([90, 10 * DAY]),
        share=chance.random(),
        lines=lines,
    )


def billed(played: StruckWorld) -> tuple[Decimal, int]:
    """Sum what the provider ran, from its own books: dollars and tokens."""
    runs: Counter[tuple[str, str, int, int]] = Counter()
    for batch_id, made in played.provider.made.items():
        data = played.provider.files.get(played.provider.batches[batch_id].output_file_id or "", b"")
        for line in map(json.loads, data.splitlines()):
            used = line["response"]["body"].get("usage") or {}
            runs[made.model, BATCH, used.get("prompt_tokens", 0), used.get("completion_tokens", 0)] += 1
    for model, by, used in played.provider.alone:
        runs[model, by, used.get("prompt_tokens", 0), used.get("completion_tokens", 0)] += 1
    dollars, tokens = Decimal(0), 0
    for (model, by, came, went), count in runs.items():
        for kind, each in zip(PRICES[model][by], (came, went), strict=True):
            dollars += Decimal(kind) * each * count / 1_000_000
        tokens += (came + went) * count
    return dollars, tokens


@pytest.mark.parametrize("seed", range(40))
def test_the_report_s_dollars_are_the_provider_s_bill(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test is to be repeated
    played = world(max_requests_per_shard=chance.choice([3, 6, 16]))
    played.provider.fates = [fate(chance) for _ in range(chance.randint(1, 8))]
    played.provider.own = {each: chance.choice([*SAYS, "empty"]) for each in LINES if chance.random() < 0.3}
    played.provider.flex = {each: chance.choice(["full", "default"]) for each in LINES if chance.random() < 0.3}
    played.upload(LINES, models=chance.randint(1, 3), options={"accept": ACCEPT} if chance.random() < 0.7 else None)
    played.finish()
    assert played.wrongs() == []
    report = json.loads(played.first_result("report.json") or b"")
    dollars, tokens = billed(played)
    assert report["cost"]["usd"] == pytest.approx(float(dollars), abs=5.1e-7)  # a sixth digit is rounded
    assert report["usage"]["total_tokens"] == tokens
