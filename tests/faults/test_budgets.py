"""A budget struck at any effect: the provider bills no more than the budget, and each warning comes, under one id."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from batchyard.budgets.spending import CODE
from batchyard.costs.budget import WARNED_AT
from batchyard.costs.cost import PER_DOLLAR
from tests.fakes.budgets import give, month
from tests.faults.provider import Fate
from tests.faults.strikes import Strike, some
from tests.faults.struck import StruckWorld

# A token of a request costs one dollar: some 25 a line by the provider, and twice that by the estimate.
OWN = '{"m0": {"input": 1000000, "output": 0}}'
LINES = [f"r{at}" for at in range(4)]
BUDGET = 190  # less than all of it is estimated at


def played(budget: int = BUDGET) -> StruckWorld:
    """Make a world with two uploads of a tenant, whose budget is too small for both."""
    world = StruckWorld(price_list=OWN, max_requests_per_shard=2)
    give(world.services, budget)
    world.provider.fates = [Fate("expired", share=0.5), Fate("expired", share=0.5)]
    world.upload(LINES)
    world.upload([f"s{at}" for at in range(4)])
    return world


def billed(world: StruckWorld) -> int:
    """Sum up the tokens that the provider reports, which are dollars here."""
    outputs = [world.provider.files.get(batch.output_file_id or "", b"") for batch in world.provider.batches.values()]
    answers = [json.loads(line) for output in outputs for line in output.splitlines()]
    return sum(answer["response"]["body"]["usage"]["prompt_tokens"] for answer in answers)


def warnings(world: StruckWorld) -> list[dict[str, Any]]:
    return [event for each in world.events() if (event := json.loads(each)).get("object") == "budget.warning"]


def held(world: StruckWorld) -> list[str]:
    """Name the lines that the budget kept from being sent, or sent again."""
    errors = [world.found(f"results/default/{case.batch_id}/errors.jsonl") or b"" for case in world.cases]
    lines = [json.loads(line) for each in errors for line in each.splitlines()]
    return [line["custom_id"] for line in lines if (line["error"] or {}).get("code") == CODE]


def check(world: StruckWorld, where: str) -> None:
    """Hold what was spent against the budget, and what the records say against the provider's bill."""
    spent = month(world.services)
    assert billed(world) <= BUDGET, where
    assert (spent.paid, spent.expected) == (billed(world) * PER_DOLLAR, 0), where
    told = Counter((event["percent"], event["id"]) for event in warnings(world))
    # What stands at the provider counts at its estimate, so that more may have been told than was billed in the end.
    due = [percent for percent in WARNED_AT if spent.paid * 100 >= BUDGET * PER_DOLLAR * percent]
    percents = sorted(percent for percent, _ in told)
    assert percents == list(WARNED_AT)[: max(len(percents), len(due))], where
    assert max(told.values()) <= 2, where
    given_up = tuple(f"{each} was given up after " for each in held(world))
    assert [wrong for wrong in world.wrongs() if not wrong.startswith(given_up)] == [], where


def test_what_does_not_fit_says_why_and_the_rest_runs() -> None:
    world = played()
    world.finish()
    check(world, "")
    assert 0 < len(held(world)) < 8
    assert billed(world) > 0


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["kill", "fail", "overtake"])
def test_a_budget_holds_though_effects_are_struck(kind: str, *, after: bool) -> None:
    whole = played()
    first = whole.strikes.count
    whole.finish(calm=False)
    struck = 0
    for at in some(range(whole.strikes.count - first), kind, after=after, every=6):  # some half a thousand effects
        world = played()
        world.strikes.due = Strike(kind, at, after)
        world.finish(calm=False)
        world.strikes.due = None
        struck += bool(world.strikes.struck)
        check(world, f"at effect {at}: {world.strikes.struck}")
    assert struck > 50
