"""The price list in the layer is that of the locked genai-prices, and is read as genai-prices reads its own."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from genai_prices import Usage, calc_price

from batchyard.costs import prices
from batchyard.costs.cost import PER_DOLLAR
from batchyard.costs.prices import FILE, batch_price, price_list
from batchyard.costs.usage import Usage as Used
from local.prices import BATCH, document

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
    price = batch_price(profile, model)
    assert price is not None
    assert (price.input, price.output) == (batch.input_price * 1_000, batch.output_price * 1_000)
    assert price.basis == (prices.BATCH if listed else prices.FULL)


@pytest.mark.parametrize(("profile", "model"), [("openai", "gpt-image-1.5"), ("openai", "gpt-image-1-mini")])
def test_pictures_cost_what_the_library_says(profile: str, model: str) -> None:
    usage = Usage(input_tokens=1_000, input_image_tokens=600, output_tokens=5_000, output_image_tokens=4_000)
    found = calc_price(usage, model, provider_id=profile, genai_request_timestamp=AT, price_context=BATCH)
    ours = prices.Prices(profile).cost(Used(1_000, 0, 5_000, 0, 6_000, 600, 4_000), model, "/v1/images/generations")
    assert Decimal(ours.amount) / PER_DOLLAR == found.total_price
