"""The emulator's bill in dollars, and flex processing: with room, without, slow, unsold, or answered by another tier."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.emulator.cli import main
from tests.integration.local.emulator.running import CHAT, Emulator, chat_line, jsonl, started

DIRECT = CHAT.removeprefix("/v1")
FULL, BATCH, FLEX = ("2", "8"), ("1", "4"), ("0.5", "2")  # US dollars per million tokens of input and output
PRICED: dict[str, Any] = {
    "named": {"or_": [{"equals": "odd"}, {"starts_with": "gpt-4.1"}]}, "input": FULL[0], "output": FULL[1],
    "batch_input": BATCH[0], "batch_output": BATCH[1], "flex_input": FLEX[0], "flex_output": FLEX[1],
}  # fmt: skip
PLAIN = {"named": {"and_": [{"contains": "o"}, {"ends_with": "-plain"}]}, "input": "3", "output": "5"}
LIST = {"source": "test", "at": "2026-11-30", "sellers": {"one": [PRICED, PLAIN], "other": [{**PLAIN, "input": "9"}]}}
FREE = {"error": {"type": "resource_unavailable", "code": "resource_unavailable", "param": None}}


@pytest.fixture(scope="module")
def billing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    prices = tmp_path_factory.mktemp("prices") / "prices.json"
    prices.write_text(json.dumps(LIST))
    with started("--prices", str(prices), "--sellers", "one,other", "--seconds-per-batch", "0.2") as emulator:
        yield emulator


def ask(emulator: Emulator, model: str = "gpt-4.1-mini", **body: object) -> requests.Response:
    return emulator.call("POST", DIRECT, json={**chat_line("a-1", model=model)["body"], **body})


def cost(usage: dict[str, int], prices: tuple[str, str]) -> float:
    used = (
        usage.get("prompt_tokens", usage.get("input_tokens", 0)),
        usage.get("completion_tokens", usage.get("output_tokens", 0)),
    )
    return sum(tokens * float(price) for tokens, price in zip(used, prices, strict=True)) / 1_000_000


def latest(emulator: Emulator) -> dict[str, Any]:
    return dict(emulator.admin("/ledger")["direct"][-1])


@pytest.mark.parametrize(("model", "prices"), [("gpt-4.1-mini", BATCH), ("odd", BATCH), ("foo-plain", ("3", "5"))])
def test_a_batch_costs_the_batch_price_or_the_full_one_where_there_is_none(
    billing: Emulator, model: str, prices: tuple[str, str]
) -> None:
    billing.play()
    uploaded = billing.upload(jsonl([chat_line(f"a-{at}", model=model) for at in range(5)]))
    ended = billing.wait(billing.create(uploaded["id"])["id"])
    assert billing.ledger(ended["id"])["usd"] == pytest.approx(cost(ended["usage"], prices))


def test_a_request_on_its_own_costs_the_full_price_and_by_flex_less(billing: Emulator) -> None:
    billing.play()
    for body, tier, prices in (({}, "default", FULL), ({"service_tier": "flex"}, "flex", FLEX)):
        before, answer = billing.admin("/ledger")["usd"], ask(billing, **body)
        assert answer.json()["service_tier"] == tier
        assert latest(billing)["service_tier"] == tier
        assert latest(billing)["usd"] == pytest.approx(cost(answer.json()["usage"], prices))
        assert billing.admin("/ledger")["usd"] - before == pytest.approx(latest(billing)["usd"])


def test_flex_without_room_costs_nothing(billing: Emulator) -> None:
    billing.play(flex={"no_room": "1-2"})
    before = billing.admin("/ledger")
    for _ in range(2):
        refused = ask(billing, service_tier="flex")
        assert refused.status_code == 429
        assert {name: refused.json()["error"][name] for name in FREE["error"]} == FREE["error"]
    assert ask(billing).status_code == 200, "only flex has no room"
    assert ask(billing, service_tier="flex").json()["service_tier"] == "flex"
    assert len(billing.admin("/ledger")["direct"]) == len(before["direct"]) + 2


def test_a_share_of_flex_has_no_room(billing: Emulator) -> None:
    billing.play(flex={"share": 0.5})
    assert {ask(billing, service_tier="flex").status_code for _ in range(20)} == {200, 429}


def test_flex_may_be_slow_and_may_be_answered_by_another_tier(billing: Emulator) -> None:
    billing.play(flex={"seconds": 0.3, "served_as": "default"})
    began = time.monotonic()
    answer = ask(billing, service_tier="flex")
    assert time.monotonic() - began >= 0.3
    assert answer.json()["service_tier"] == "default"
    assert latest(billing)["usd"] == pytest.approx(cost(answer.json()["usage"], FULL))


@pytest.mark.parametrize(("model", "flex"), [("gpt-4.1-mini", {"sold": False}), ("foo-plain", {}), ("unknown", {})])
def test_flex_that_is_not_sold_is_refused(billing: Emulator, model: str, flex: dict[str, Any]) -> None:
    billing.play(flex=flex)
    refused = ask(billing, model, service_tier="flex")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "service_tier")


def test_an_answer_at_once_is_spoilt_to_order_and_billed_as_a_good_one(billing: Emulator) -> None:
    billing.play(calls=[{"operation": "createChatCompletion", "nth": 1, "do": {"says": "cut_off"}}])
    before = len(billing.admin("/ledger")["direct"])
    spoilt, good = ask(billing).json(), ask(billing).json()
    assert [each["choices"][0]["finish_reason"] for each in (spoilt, good)] == ["length", "stop"]
    assert spoilt["usage"] == good["usage"]
    assert len(billing.admin("/ledger")["direct"]) == before + 2


def test_a_model_without_a_price_makes_the_bill_unknown(tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps(LIST))
    with started("--prices", str(prices), "--sellers", "one") as emulator:
        assert emulator.admin("/ledger")["usd"] == 0
        ask(emulator)
        assert emulator.admin("/ledger")["usd"] > 0
        ask(emulator, "unknown")
        assert emulator.admin("/ledger")["usd"] is None


@pytest.mark.parametrize("options", [["--prices", "absent.json"], ["--prices", "prices.json", "--sellers", "nobody"]])
def test_prices_that_cannot_be_read_end_the_emulator(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prices.json").write_text(json.dumps(LIST))
    options[1] = str(tmp_path / options[1])
    assert main(options) == 2
    assert capsys.readouterr().err.startswith("The prices cannot be read: ")
