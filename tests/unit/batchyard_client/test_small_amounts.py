"""What a few tokens cost is not lost in rounding."""

from decimal import Decimal

import pytest

from batchyard.costs.cost import EXACT_DIGITS, Price, cost_of
from batchyard.costs.usage import Usage
from batchyard_client.answers import Rate, Rates, rates_of
from batchyard_client.screen import usd_words


def test_the_price_of_a_token_is_found_again_in_a_small_batch() -> None:
    usage = Usage(input_tokens=7, output_tokens=3)
    cost = cost_of(usage, Price(Decimal("0.025"), Decimal("0.0025"), Decimal("0.2"), "list"))
    part = {**cost.shape(EXACT_DIGITS), "input_tokens": 7, "output_tokens": 3}
    rates = rates_of({"by_model": {"m": part}})
    assert rates is not None
    assert rates.cost("m", 1_000_000, 1_000_000) == pytest.approx(0.225, rel=1e-9)
    assert cost.shape()["usd"] == 0.000001


def test_small_amounts_are_shown_with_more_digits() -> None:
    assert [usd_words(usd) for usd in (0, 0.000034, 0.25, 1234.5)] == ["0.0000", "0.000034", "0.2500", "1,234.5000"]


def test_an_amount_has_no_noise_of_a_sum_behind_it() -> None:
    assert 1 * 2e-7 + 4 * 8e-7 != 3.4e-06
    assert Rates({"m": Rate(2e-7, 8e-7)}).cost("m", 1, 4) == 3.4e-06
