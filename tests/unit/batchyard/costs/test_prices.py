"""What a model costs in a batch, and that nobody guesses where that is not known."""

from decimal import Decimal

import pytest

from batch_client import PROFILES
from batchyard.costs import price_list as module
from batchyard.costs.price_list import Listed, PriceList, Sellers, price_list
from batchyard.costs.price_list import _named as named
from batchyard.costs.prices import (
    BATCH,
    FLEX,
    FULL,
    OWN,
    SHARE,
    Prices,
    batch_price,
    full_price,
    read_own,
)  # fmt: skip
from batchyard.costs.usage import Usage
from tests.fakes.sellers import sellers_of

CHAT = "/v1/chat/completions"


def test_a_batch_price_of_the_list_is_taken_as_it_is() -> None:
    assert batch_price(sellers_of("openai"), "gpt-4.1-mini") == (Decimal("0.2"), Decimal("0.1"), Decimal("0.8"), BATCH)


def test_where_the_list_has_no_batch_price_the_full_price_holds() -> None:
    assert batch_price(sellers_of("openai"), "text-embedding-3-small") == (
        Decimal("0.02"),
        Decimal("0.02"),
        Decimal(0),
        FULL,
    )
    assert batch_price(sellers_of("together"), "meta-llama/Llama-3.3-70B-Instruct-Turbo") == (
        Decimal("0.88"), Decimal("0.88"), Decimal("0.88"), FULL,
    )  # fmt: skip


def test_where_the_list_has_no_batch_price_the_share_holds_that_the_service_takes() -> None:
    sellers = Sellers(same=("together",), share="0.8")
    price = batch_price(sellers, "meta-llama/Llama-3.3-70B-Instruct-Turbo")
    assert price == (Decimal("0.704"), Decimal("0.704"), Decimal("0.704"), SHARE)
    assert full_price(sellers, "meta-llama/Llama-3.3-70B-Instruct-Turbo") != price


def test_mistral_takes_half_where_the_list_has_no_batch_price_and_code_with_a_gap_has_one() -> None:
    prices = Prices(sellers_of("mistral"))
    assert prices.of("devstral-2512", CHAT) == (Decimal("0.2"), Decimal("0.02"), Decimal(1), SHARE)
    code = prices.of("codestral-2508", "/v1/fim/completions")
    assert code == (Decimal("0.15"), Decimal("0.015"), Decimal("0.45"), BATCH)


def test_the_user_s_own_list_goes_before_ours() -> None:
    own = read_own('{"gpt-4.1-mini": {"input": 0.07, "output": 0.3}, "my-own": {"input": 1, "cached": 0.5}}')
    prices = Prices(sellers_of("openai"), own)
    assert prices.of("gpt-4.1-mini", CHAT) == (Decimal("0.07"), Decimal("0.07"), Decimal("0.3"), OWN)
    assert prices.of("my-own", CHAT) == (Decimal(1), Decimal("0.5"), Decimal(0), OWN)
    assert prices.of("gpt-4.1-nano", CHAT) == batch_price(sellers_of("openai"), "gpt-4.1-nano")
    assert prices.of("gpt-4.1-mini", CHAT, batch=False) == full_price(sellers_of("openai"), "gpt-4.1-mini")


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"m": {"input": -1}}', '{"m": {"inputs": 1}}', '{"m": {"output": 1}}', '{"m": {"input": 1e400}}',
     '{"m": {"input": NaN}}', '{"m": {"input": true}}'],
)  # fmt: skip
def test_a_list_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_own(text)


def test_flex_processing_is_sold_where_the_list_has_it_and_the_endpoint_takes_a_tier() -> None:
    prices = Prices(sellers_of("openai"))
    assert prices.by_flex("o4-mini", CHAT) == (Decimal("0.55"), Decimal("0.138"), Decimal("2.2"), FLEX)
    assert prices.sells_flex("o4-mini", CHAT)
    assert prices.sells_flex("o4-mini", "/v1/responses")
    assert prices.by_flex("o4-mini", "/v1/completions") is None
    assert prices.by_flex("gpt-4.1-mini", CHAT) is None
    assert not prices.sells_flex("gpt-4.1-mini", CHAT)


@pytest.mark.parametrize("profile", ["azure", "azure-entra", "groq", "together", "vllm", "compatible", "deepinfra"])
def test_other_services_have_another_flex_processing_or_none(profile: str) -> None:
    assert not Prices(sellers_of(profile)).sells_flex("o4-mini", CHAT)


def test_flex_processing_that_costs_more_than_a_batch_is_not_sold_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    dear = Listed(
        {"equals": "o-dear"}, Decimal(4), Decimal(8), None, Decimal(2), Decimal(4), None, Decimal(2), Decimal(5)
    )
    known = price_list()
    monkeypatch.setattr(
        module, "price_list", lambda: PriceList(known.source, known.at, {**known.sellers, "openai": [dear]})
    )
    assert Prices(sellers_of("openai")).by_flex("o-dear", CHAT) == (Decimal(2), Decimal(2), Decimal(5), FLEX)
    assert not Prices(sellers_of("openai")).sells_flex("o-dear", CHAT)


def test_what_is_not_paid_by_the_token_has_no_price() -> None:
    assert Prices(sellers_of("openai")).of("gpt-4.1-mini", "/v1/videos") is None


@pytest.mark.parametrize(
    ("profile", "model"),
    [
        ("openai", "m-1"),
        ("openai", ""),
        ("openai", "ft:gpt-4.1-mini:acme::7"),
        ("vllm", "gpt-4.1-mini"),
        ("deepinfra", "o3"),
    ],
)
def test_what_is_not_known_has_no_price(profile: str, model: str) -> None:
    assert batch_price(sellers_of(profile), model) is None


def test_every_seller_is_in_the_list_and_nothing_is_free() -> None:
    known: PriceList = price_list()
    named = [facts.sellers + facts.sellers_alike + facts.flex_sellers for facts in (p.facts for p in PROFILES.values())]
    assert set(known.sellers) == {seller for sellers in named for seller in sellers}
    models: list[Listed] = [model for models in known.sellers.values() for model in models]
    assert len(models) > 100
    assert all(model.input > 0 for model in models)


@pytest.mark.parametrize(
    ("clause", "right", "wrong"),
    [
        ({"equals": "A-1"}, "a-1", "a-12"),
        ({"starts_with": "A-"}, "a-1", "ba-1"),
        ({"ends_with": "-Mini"}, "a-mini", "a-mini-2"),
        ({"contains": "B"}, "abc", "acc"),
        ({"regex": "^o[13]"}, "o3-pro", "go3"),
        ({"or_": [{"equals": "a"}, {"equals": "b"}]}, "b", "c"),
        ({"and_": [{"starts_with": "a"}, {"ends_with": "z"}]}, "abz", "aby"),
    ],
)
def test_a_model_is_known_by_any_clause_of_the_list(clause: dict[str, object], right: str, wrong: str) -> None:
    assert named(clause, right)
    assert not named(clause, wrong)


def test_your_own_list_prices_pictures_and_what_has_no_price_of_ours() -> None:
    own = read_own('{"p": {"input": 1, "output": 2, "image_output": 30}, "m": {"input": 0}}')
    prices, million = Prices(sellers_of("openai"), own), 1_000_000
    assert prices.cost(Usage(million, 0, million), "p", "/v1/images/edits").shape()["usd"] == 31.0
    assert prices.cost(Usage(million, 0, million, 0, 0, 0, million // 2), "p", CHAT).shape()["usd"] == 17.0
    assert prices.of("m", "/v1/moderations") is not None
    assert Prices(sellers_of("openai")).of("omni-moderation-latest", "/v1/moderations") is None
    with pytest.raises(ValueError, match="a price is at least 0"):
        read_own('{"p": {"input": 1, "image_input": -1}}')
