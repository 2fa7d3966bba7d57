"""What the report says of tokens and dollars is the provider's bill, whatever became of the batches and the calls."""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal
from typing import Any, Final

import pytest

from tests.fakes.failures import lost
from tests.faults.provider import Fate, Trouble
from tests.faults.struck import StruckWorld

# US dollars per million tokens: of input and of output.
PRICES: Final = {"m0": ("0.075", "0.3"), "m1": ("1.25", "10"), "m2": ("0.0375", "0.15")}
OWN: Final = json.dumps(
    {model: {"input": float(price[0]), "output": float(price[1])} for model, price in PRICES.items()}
)
SORTS: Final = ("good", "good", "good", "refused", "unavailable", "mangled", "empty", "twice", "timed out")
LINES: Final = 60


def fate(chance: random.Random) -> Fate:
    """Make up what becomes of a provider batch."""
    lines = {f"r{at}": chance.choice(SORTS) for at in range(LINES) if chance.random() < 0.3}
    end = chance.choice(["completed", "completed", "expired", "failed"])
    return Fate(end, share=chance.random(), lines=lines, no_counts=chance.random() < 0.2)


def bill(world: StruckWorld) -> dict[str, Counter[str]]:
    """Sum up, by model, the tokens of what the provider ran: it bills each answer once."""
    billed: dict[str, Counter[str]] = {}
    for batch_id, made in world.provider.made.items():
        batch = world.provider.batches[batch_id]
        for custom_id in made.custom_ids:
            billed.setdefault(made.model, Counter()).update(answered(world, batch.output_file_id, custom_id))
    return billed


def answered(world: StruckWorld, file_id: str | None, custom_id: str) -> dict[str, int]:
    """Return the tokens of the first answer to a line in a file."""
    for line in world.provider.files.get(file_id or "", b"").decode("utf-8", "replace").splitlines():
        found: dict[str, Any] = json.loads(line)
        if found["custom_id"] == custom_id:
            used = found["response"]["body"].get("usage") or {}
            return {"input": used.get("prompt_tokens", 0), "output": used.get("completion_tokens", 0)}
    return {}


@pytest.mark.parametrize("seed", range(40))
def test_the_report_s_dollars_are_the_provider_s_bill(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test is to be repeated
    world = StruckWorld(price_list=OWN, max_requests_per_shard=chance.choice([7, 20, 60]), max_attempts=5)
    world.provider.fates = [fate(chance) for _ in range(chance.randint(0, 12))]
    world.provider.troubles = [Trouble(lost, after=True) if chance.random() < 0.1 else None for _ in range(50)]
    world.upload([f"r{at}" for at in range(LINES)], models=chance.randint(1, 3))
    world.finish()
    cost = json.loads(world.first_result("report.json") or b"")["cost"]
    billed = bill(world)
    tokens = {model: {"input": each["input_tokens"], "output": each["output_tokens"]}
              for model, each in cost["by_model"].items() if each["input_tokens"] or each["output_tokens"]}  # fmt: skip
    assert tokens == {model: dict(used) for model, used in billed.items() if used.total()}
    dollars = sum(
        used[kind] * Decimal(price) / 1_000_000
        for model, used in billed.items() for kind, price in zip(("input", "output"), PRICES[model], strict=True)
    )  # fmt: skip
    assert cost["usd"] == pytest.approx(float(dollars), abs=5.1e-7)  # a sixth digit is rounded
