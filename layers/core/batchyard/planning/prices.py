"""What models cost in a batch: the list prices of `prices.json`, read only where an estimate is asked for."""

import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

FILE: Final = Path(__file__).with_name("prices.json")
USUAL_DISCOUNT: Final = Decimal("0.5")  # what batch APIs give, where the list has no batch price of its own
MAKERS: Final = ("openai", "anthropic", "google", "mistral", "deepseek", "x-ai")
# Whose prices hold for a profile of the client: a gateway's are taken to be those of a model's maker, your own server has none.
SELLERS: Final[dict[str, tuple[str, ...]]] = {
    "openai": ("openai",), "azure": ("azure",), "azure-entra": ("azure",), "groq": ("groq",), "together": ("together",),
    "vllm": (), "compatible": MAKERS,
}  # fmt: skip
# Who else sells what is not in a service's own list, at the same usual price; a discount of theirs does not hold there.
ALIKE: Final = {"azure": ("openai",), "azure-entra": ("openai",)}


class Listed(msgspec.Struct, frozen=True):
    """A model of the list: how it may be named, and US dollars per million tokens."""

    named: dict[str, Any]
    input: Decimal
    output: Decimal
    batch_input: Decimal | None = None
    batch_output: Decimal | None = None


class PriceList(msgspec.Struct, frozen=True):
    """The list, where it comes from, and the day it is of."""

    source: str
    at: str
    sellers: dict[str, list[Listed]]


class Price(NamedTuple):
    """US dollars per million tokens in a batch; `listed` tells a batch price of the list from half the usual one."""

    input: Decimal
    output: Decimal
    listed: bool


@cache
def price_list() -> PriceList:
    """Read the list."""
    return msgspec.json.decode(FILE.read_bytes(), type=PriceList)


def batch_price(profile: str, model: str) -> Price | None:
    """Look up what a model costs in a batch at a service of this profile; None where that is not known."""
    own = _find(SELLERS.get(profile, ()), model.lower())
    if own is not None and own.batch_input is not None and own.batch_output is not None:
        return Price(own.batch_input, own.batch_output, listed=True)
    usual = own or _find(ALIKE.get(profile, ()), model.lower())
    return Price(usual.input * USUAL_DISCOUNT, usual.output * USUAL_DISCOUNT, listed=False) if usual else None


def _find(sellers: tuple[str, ...], model: str) -> Listed | None:
    models = (known for seller in sellers for known in price_list().sellers[seller])
    return next((known for known in models if _named(known.named, model)), None)


def _named(clause: dict[str, Any], model: str) -> bool:
    """Tell whether a clause of the list names a model; its clauses hold one member each."""
    ((kind, value),) = clause.items()
    match kind:
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
