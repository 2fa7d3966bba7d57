"""What tokens cost, against bills worked out by hand from the price pages."""

from decimal import Decimal

import pytest

from batchyard.costs.cost import Cost, cost_of, dollars
from batchyard.costs.prices import Prices
from batchyard.costs.usage import Usage
from tests.fakes.sellers import sellers_of

CHAT, EMBEDDINGS, IMAGES = "/v1/chat/completions", "/v1/embeddings", "/v1/images/generations"


@pytest.mark.parametrize(
    ("profile", "model", "endpoint", "usage", "usd"),
    [
        # Input, cached input, output; US dollars per million in a batch.
        ("openai", "gpt-4.1-mini", CHAT, Usage(1_000_000, 0, 1_000_000), "1.000000"),  # 0.20, 0.10, 0.80
        ("openai", "gpt-4.1-mini", CHAT, Usage(1_000_000, 400_000, 0), "0.160000"),
        ("openai", "gpt-4o-mini", CHAT, Usage(123_457, 0, 7_001), "0.011360"),  # 0.075, -, 0.30: 9,259.275 + 2,100.3
        ("openai", "o3", "/v1/responses", Usage(10_000, 0, 90_000, 80_000), "0.370000"),  # 1, -, 4: reasoning is output
        (
            "openai",
            "text-embedding-3-small",
            EMBEDDINGS,
            Usage(5_000_000),
            "0.100000",
        ),  # 0.02: no batch price is listed
        ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", CHAT, Usage(1_000_000, 0, 500_000), "1.320000"),  # 0.88
        ("openai", "gpt-4.1-mini", CHAT, Usage(1, 0, 0), "0.000000"),
        ("openai", "gpt-4.1-mini", CHAT, Usage(3, 0, 0), "0.000001"),  # 0.0000006
        (
            "openai",
            "gpt-4.1-mini",
            CHAT,
            Usage(100, 1_000, 0),
            "0.000010",
        ),  # more cached tokens than input: all are cached
        ("openai", "gpt-4.1-mini", CHAT, Usage(), "0.000000"),
        # Pictures; 2.50 for text in, 4 for pictures in, 5 for text out, 16 for pictures out.
        ("openai", "gpt-image-1.5", IMAGES, Usage(100_000, 0, 1_000_000), "16.250000"),  # all answers are pictures
        ("openai", "gpt-image-1.5", IMAGES, Usage(100_000, 0, 1_000_000, 0, 0, 60_000, 900_000), "15.240000"),
        ("openai", "gpt-image-1.5", IMAGES, Usage(10, 0, 10, 0, 0, 1_000, 1_000), "0.000200"),  # more than there are
        ("openai", "gpt-image-1", IMAGES, Usage(1_000_000, 0, 1_000_000, 0, 0, 1_000_000), "25.000000"),  # 5, 20
        ("openai", "gpt-image-1.5", "/v1/responses", Usage(0, 0, 1_000_000), "5.000000"),  # no picture is told of
        ("openai", "gpt-4.1-mini", CHAT, Usage(1_000_000, 0, 0, 0, 0, 500_000), "0.200000"),  # pictures cost the same
    ],
)
def test_a_bill_is_the_one_worked_out_by_hand(profile: str, model: str, endpoint: str, usage: Usage, usd: str) -> None:
    cost = Prices(sellers_of(profile)).cost(usage, model, endpoint)
    assert f"{dollars(cost.amount):.6f}" == usd
    assert cost.shape()["usd"] == float(usd)


def test_tokens_without_a_price_make_the_sum_unknown_and_are_told() -> None:
    known, unknown = (
        cost_of(Usage(1_000_000), Prices(sellers_of("openai")).of("gpt-4.1-mini", CHAT)),
        cost_of(Usage(7, 0, 3), None),
    )
    assert (known + unknown).shape() == {
        "usd": None, "input_usd": 0.2, "cached_usd": 0.0, "output_usd": 0.0, "unpriced_tokens": 10,
    }  # fmt: skip


def test_a_million_small_amounts_sum_up_exactly() -> None:
    price = Prices(sellers_of("openai")).of("gpt-4o-mini", CHAT)
    parts = sum((cost_of(Usage(1, 0, 1), price) for _ in range(1_000)), Cost())
    assert parts == cost_of(Usage(1_000, 0, 1_000), price)
    assert Decimal(parts.amount) / 10**12 == Decimal("0.000375")
