"""What models cost in a batch, by the list prices of `prices.json`; the list is read only for an estimate."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

FILE: Final = Path(__file__).with_name("prices.json")
USUAL_DISCOUNT: Final = Decimal("0.5")  # of batch APIs, where the list has no batch price
MAKERS: Final = ("openai", "anthropic", "google", "mistral", "deepseek", "x-ai")
# Whose prices hold for each profile of the client. A gateway is taken to ask the price of the model's maker; a server of
# your own has no price.
SELLERS: Final[dict[str, tuple[str, ...]]] = {
    "openai": ("openai",), "azure": ("azure",), "azure-entra": ("azure",), "groq": ("groq",), "together": ("together",),
    "vllm": (), "compatible": MAKERS,
}  # fmt: skip
# Who else sells a model that is not in the service's own list, at the same usual price but not with the same discount.
ALIKE: Final = {"azure": ("openai",), "azure-entra": ("openai",)}


class Listed(msgspec.Struct, frozen=True):
    """A model of the list; prices are US dollars per million tokens."""

    #: The rule that the names of the model follow.
    named: dict[str, Any]
    input: Decimal
    output: Decimal
    #: None where the list has no batch price.
    batch_input: Decimal | None = None
    batch_output: Decimal | None = None


class PriceList(msgspec.Struct, frozen=True):
    """The list of prices."""

    source: str
    #: The day of the list.
    at: str
    sellers: dict[str, list[Listed]]


class Price(NamedTuple):
    """US dollars per million tokens in a batch."""

    input: Decimal
    output: Decimal
    #: Whether it is a batch price of the list; else it is half the usual price.
    listed: bool


@cache
def price_list() -> PriceList:
    """Read the list."""
    return msgspec.json.decode(FILE.read_bytes(), type=PriceList)


def batch_price(profile: str, model: str) -> Price | None:
    """Look up what a model costs in a batch at a service of this profile; None if the price is not known."""
    own = _find(SELLERS.get(profile, ()), model.lower())
    if own is not None and own.batch_input is not None and own.batch_output is not None:
        return Price(own.batch_input, own.batch_output, listed=True)
    usual = own or _find(ALIKE.get(profile, ()), model.lower())
    return Price(usual.input * USUAL_DISCOUNT, usual.output * USUAL_DISCOUNT, listed=False) if usual else None


def names(profile: str) -> Iterator[tuple[str, str]]:
    """Yield the models that the list spells out for a service of this profile, and who sells each."""
    for seller in (*SELLERS.get(profile, ()), *ALIKE.get(profile, ())):
        for known in price_list().sellers[seller]:
            for name in _spelled(known.named):
                yield name, seller


def seller_of(profile: str, model: str) -> str | None:
    """Return who sells a model of which a service of this profile has the price; None if the price is not known."""
    sellers = (*SELLERS.get(profile, ()), *ALIKE.get(profile, ()))
    return next((seller for seller in sellers if _find((seller,), model.lower())), None)


def _spelled(rule: dict[str, Any]) -> Iterator[str]:
    """Yield the whole names that a rule of the list has."""
    ((relation, value),) = rule.items()
    if relation == "or_":
        for each in value:
            yield from _spelled(each)
    elif relation == "equals":
        yield value


def _find(sellers: tuple[str, ...], model: str) -> Listed | None:
    models = (known for seller in sellers for known in price_list().sellers[seller])
    return next((known for known in models if _named(known.named, model)), None)


def _named(rule: dict[str, Any], model: str) -> bool:
    """Tell whether a rule of the list names a model; a rule has one member."""
    ((relation, value),) = rule.items()
    match relation:
        case "or_":
            return any(_named(each, model) for each in value)
        case "and_":
            return all(_named(each, model) for each in value)
        case "regex":
            return re.search(value, model) is not None
        case "equals":
            return bool(model == value.lower())
        case "starts_with":
            return model.startswith(value.lower())
        case "ends_with":
            return model.endswith(value.lower())
        case _:
            return value.lower() in model
