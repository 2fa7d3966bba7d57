"""Numbers that are none, in what a user asks for and in a record: no record, event or report holds one, and nothing stops."""

import msgspec
import pytest

from tests.faults.checker import is_strict_json
from tests.faults.struck import StruckWorld

AMOUNTS = ["1e400", "Infinity", "NaN", "+1_0", "\u0661\u0662", "1e5"]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_an_amount_that_is_none_is_refused_and_told(amount: str) -> None:
    world = StruckWorld()
    batch_id = world.upload(["a", "b"], options={"max-cost-usd": amount})
    world.finish()
    assert (world.record(batch_id)["status"], world.wrongs()) == ("failed", [])
    assert world.record(batch_id)["errors"][0]["param"] == "max_cost_usd"


@pytest.mark.parametrize("amount", AMOUNTS)
def test_a_record_with_such_an_amount_stops_neither_the_bus_nor_plan_nor_the_sweep(amount: str) -> None:
    world = StruckWorld()
    poisoned, other = world.upload(["a", "b"]), world.upload(["c"])
    batches = world.memory.batch_store.batches
    batches[poisoned] = msgspec.structs.replace(batches[poisoned], max_cost_usd=amount)
    world.sweep()
    world.finish()
    assert world.record(other)["status"] == "completed"
    assert world.record(poisoned)["status"] == "failed"  # nobody knows what it may cost
    assert world.wrongs() == []


@pytest.mark.parametrize("text", ['{"a": NaN}', "[Infinity]", "-Infinity", '{"a": {"b": 1e400}}', "{"])
def test_the_checker_finds_such_a_number(text: str) -> None:
    assert not is_strict_json(text)
