"""The price list in the layer is that of the locked genai-prices, and is read as genai-prices reads its own."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from genai_prices import Usage, calc_price

from batchyard.costs import price_list as listing
from batchyard.costs import prices
from batchyard.costs.cost import PER_DOLLAR, cost_of
from batchyard.costs.price_list import FILE, price_list
from batchyard.costs.prices import batch_price, flex_price, full_price
from batchyard.costs.usage import Usage as Used
from local.emulator import bill
from local.emulator.batches import Usage as EmulatorUsage
from local.prices import BATCH, FLEX, document
from tests.fakes.sellers import sellers_of

AT = datetime.fromisoformat(price_list().at).replace(tzinfo=UTC)


def test_the_list_is_what_make_prices_writes() -> None:
    assert msgspec.json.decode(FILE.read_bytes()) == document(AT), "run `make prices`"


@pytest.mark.parametrize(
    ("profile", "seller", "model"),
    [
        ("openai", "openai", "gpt-4.1-mini"),
        ("openai", "openai", "GPT-4.1-mini-2025-04-14"),
        ("openai", "openai", "o3"),
        ("openai", "openai", "text-embedding-3-small"),
        ("azure", "azure", "gpt-4.1-mini"),
        ("groq", "groq", "llama-3.3-70b-versatile"),
        ("together", "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ("compatible", "anthropic", "claude-sonnet-4-5"),
    ],
)
def test_a_model_costs_what_the_library_says_or_its_full_price_where_it_has_no_batch_price(
    profile: str, seller: str, model: str
) -> None:
    usage = Usage(input_tokens=1_000, output_tokens=1_000)
    usual, batch = (
        calc_price(usage, model, provider_id=seller, genai_request_timestamp=AT, price_context=context)
        for context in ({}, BATCH)
    )
    listed = batch.total_price != usual.total_price
    price = batch_price(sellers_of(profile), model)
    assert price is not None
    assert (price.input, price.output) == (batch.input_price * 1_000, batch.output_price * 1_000)
    assert price.basis == (prices.BATCH if listed else prices.FULL)


@pytest.mark.parametrize("model", ["o3", "o4-mini", "gpt-5-nano", "gpt-5.4-mini-2026-03-17"])
def test_a_model_costs_by_flex_processing_what_the_library_says(model: str) -> None:
    usage = Usage(input_tokens=1_000, cache_read_tokens=200, output_tokens=1_000)
    found = calc_price(usage, model, provider_id="openai", genai_request_timestamp=AT, price_context=FLEX)
    price = flex_price(sellers_of("openai"), model)
    assert price is not None
    assert (price.input * 800 + price.cached * 200, price.output) == (
        found.input_price * 1_000_000,
        found.output_price * 1_000,
    )
    assert price.basis == prices.FLEX


@pytest.mark.parametrize("way", [bill.STANDARD, bill.BATCH, bill.FLEX])
def test_the_emulator_reads_the_list_as_the_services_do(way: str) -> None:
    theirs = bill.PriceList.read(FILE, "openai")
    used = Used(700, 300, 90, 40, 790)
    for model, _ in listing.names(sellers_of("openai")):
        find = {bill.STANDARD: full_price, bill.BATCH: batch_price, bill.FLEX: flex_price}[way]
        price = find(sellers_of("openai"), model) or full_price(sellers_of("openai"), model)
        found = theirs.dollars(model, way, EmulatorUsage(700, 300, 90, 40), "/v1/responses")
        assert found is not None, model
        assert found == Decimal(cost_of(used, price).amount) / PER_DOLLAR, model


@pytest.mark.parametrize(("profile", "model"), [("openai", "gpt-image-1.5"), ("openai", "gpt-image-1-mini")])
def test_pictures_cost_what_the_library_says(profile: str, model: str) -> None:
    usage = Usage(input_tokens=1_000, input_image_tokens=600, output_tokens=5_000, output_image_tokens=4_000)
    found = calc_price(usage, model, provider_id=profile, genai_request_timestamp=AT, price_context=BATCH)
    ours = prices.Prices(sellers_of(profile)).cost(
        Used(1_000, 0, 5_000, 0, 6_000, 600, 4_000), model, "/v1/images/generations"
    )
    assert Decimal(ours.amount) / PER_DOLLAR == found.total_price


@pytest.mark.parametrize(("way", "batch"), [(bill.STANDARD, False), (bill.BATCH, True)])
@pytest.mark.parametrize("model", ["gpt-image-1.5", "gpt-image-1-mini", "gpt-image-1"])
def test_the_emulator_bills_pictures_as_the_services_do(model: str, way: str, *, batch: bool) -> None:
    endpoint = "/v1/images/generations"
    ours = prices.Prices(sellers_of("openai")).cost(Used(700, 0, 90, 0, 790), model, endpoint, batch=batch)
    theirs = bill.PriceList.read(FILE, "openai").dollars(model, way, EmulatorUsage(700, 0, 90), endpoint)
    assert theirs == Decimal(ours.amount) / PER_DOLLAR
