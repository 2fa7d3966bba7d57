"""What the report says of tokens and dollars is the provider's bill, whatever became of the batches and the calls."""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal
from typing import Any, Final

import pytest

from batchyard.api.batches import retry_batch
from batchyard.api.usage import usage
from batchyard.domain.errors import ApiError
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


def bill(world: StruckWorld, batch_id: str) -> dict[str, Counter[str]]:
    """Sum up, by model, the tokens of what the provider ran for a batch of ours: it bills each answer once."""
    billed: dict[str, Counter[str]] = {}
    for provider_batch_id, made in world.provider.made.items():
        batch = world.provider.batches[provider_batch_id]
        if (batch.metadata or {})["batchyard_batch"] == batch_id:
            for custom_id in made.custom_ids:
                billed.setdefault(made.model, Counter()).update(answered(world, batch.output_file_id, custom_id))
    return billed


def dollars_of(billed: dict[str, Counter[str]]) -> Decimal:
    return sum(
        (used[kind] * Decimal(price) / 1_000_000
         for model, used in billed.items() for kind, price in zip(("input", "output"), PRICES[model], strict=True)),
        Decimal(0),
    )  # fmt: skip


def answered(world: StruckWorld, file_id: str | None, custom_id: str) -> dict[str, int]:
    """Return the tokens of the first answer to a line in a file."""
    for line in world.provider.files.get(file_id or "", b"").decode("utf-8", "replace").splitlines():
        found: dict[str, Any] = json.loads(line)
        if found["custom_id"] == custom_id:
            used = found["response"]["body"].get("usage") or {}
            return {"input": used.get("prompt_tokens", 0), "output": used.get("completion_tokens", 0)}
    return {}


def reported(world: StruckWorld, batch_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.found(f"results/default/{batch_id}/report.json") or b"")
    return found


def check(world: StruckWorld, batch_id: str) -> None:
    """Hold the report of a batch against the bill of its provider batches."""
    cost, billed = reported(world, batch_id)["cost"], bill(world, batch_id)
    tokens = {model: {"input": each["input_tokens"], "output": each["output_tokens"]}
              for model, each in cost["by_model"].items() if each["input_tokens"] or each["output_tokens"]}  # fmt: skip
    assert tokens == {model: dict(used) for model, used in billed.items() if used.total()}
    assert cost["usd"] == pytest.approx(float(dollars_of(billed)), abs=5.1e-7)  # a sixth digit is rounded


def troubled(chance: random.Random) -> list[Trouble | None]:
    return [Trouble(lost, after=True) if chance.random() < 0.1 else None for _ in range(50)]


@pytest.mark.parametrize("seed", range(40))
def test_the_report_s_dollars_are_the_provider_s_bill_and_so_are_a_tenant_s(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test is to be repeated
    world = StruckWorld(price_list=OWN, max_requests_per_shard=chance.choice([7, 20, 60]), max_attempts=5)
    world.provider.fates = [fate(chance) for _ in range(chance.randint(0, 12))]
    world.provider.troubles = troubled(chance)
    options = {"accept": '{"not_empty": true}'} if chance.random() < 0.2 else {}
    batch_ids = [world.upload([f"r{at}" for at in range(LINES)], models=chance.randint(1, 3), options=options)]
    if chance.random() < 0.3:
        for _ in range(chance.randint(1, 6)):
            for execution in world.machine.running:
                world.machine.turn(execution)
        world.cancel()
    world.finish()
    for _ in range(chance.randint(0, 2)):
        world.provider.fates = [fate(chance) for _ in range(chance.randint(0, 3))]
        try:
            batch_ids.append(retry_batch(world.services, "default", batch_ids[-1], {})["id"])
        except ApiError as error:
            assert error.code == "nothing_to_retry", error  # noqa: PT017 - not every mix leaves anything
            break
        world.provider.troubles = troubled(chance)
        world.finish()
    for batch_id in batch_ids:
        check(world, batch_id)
    total = usage(world.services, "default", None, None, None)["total"]
    paid = sum((dollars_of(bill(world, batch_id)) for batch_id in batch_ids), Decimal(0))
    assert total["cost"]["usd"] == pytest.approx(float(paid), abs=5.1e-7)
    assert total["usage"]["input_tokens"] == sum(
        used["input"] for each in batch_ids for used in bill(world, each).values()
    )


def test_a_retry_is_not_billed_for_answers_that_it_took_over() -> None:
    world = StruckWorld(price_list=OWN, max_requests_per_shard=60, max_attempts=1)
    world.provider.fates = [Fate("completed", lines={f"r{at}": "unavailable" for at in range(50, 60)})]
    parent = world.upload([f"r{at}" for at in range(LINES)])
    world.finish()
    child = retry_batch(world.services, "default", parent, {})["id"]
    world.finish()
    spent = {each["batch"]: each for each in usage(world.services, "default", None, None, "batch")["data"]}
    assert (spent[parent]["lines"], spent[child]["lines"]) == (60, 10)
    assert spent[parent]["usage"]["output_tokens"] == 2 * 50
    assert spent[child]["usage"]["output_tokens"] == 2 * 10
    report = reported(world, child)
    assert (report["output"]["lines"], report["usage"]["output_tokens"]) == (60, 2 * 10)
    check(world, child)


def test_answers_that_are_not_accepted_are_paid_and_counted() -> None:
    world = StruckWorld(price_list=OWN, max_requests_per_shard=60, max_attempts=3)
    batch_id = world.upload(["r0", "r1"], options={"accept": '{"finish_reason": ["never"]}'})
    world.finish()
    report = reported(world, batch_id)
    assert report["errors"]["by_code"] == {"answer_not_accepted": 2}
    assert report["usage"]["output_tokens"] == 3 * 2 * 2  # each of both lines was answered three times
    check(world, batch_id)
