"""What a model costs in a batch, and that nobody guesses where that is not known."""

from decimal import Decimal

import pytest

from batchyard.planning.prices import SELLERS, Listed, PriceList, batch_price, price_list
from batchyard.planning.prices import _named as named


def test_a_batch_price_of_the_list_is_taken_as_it_is() -> None:
    assert batch_price("openai", "gpt-4.1-mini") == (Decimal("0.2"), Decimal("0.8"), True)


def test_where_the_list_has_no_batch_price_half_the_usual_one_is_assumed() -> None:
    assert batch_price("openai", "text-embedding-3-small") == (Decimal("0.01"), Decimal(0), False)


@pytest.mark.parametrize(
    ("profile", "model"),
    [("openai", "m-1"), ("openai", ""), ("openai", "ft:gpt-4.1-mini:acme::7"), ("vllm", "gpt-4.1-mini"), ("new", "o3")],
)
def test_what_is_not_known_has_no_price(profile: str, model: str) -> None:
    assert batch_price(profile, model) is None


def test_every_seller_is_in_the_list_and_nothing_is_free() -> None:
    known: PriceList = price_list()
    assert set(known.sellers) == {seller for sellers in SELLERS.values() for seller in sellers}
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
