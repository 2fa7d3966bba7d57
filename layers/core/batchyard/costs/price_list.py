"""The list of prices, `prices.json`: which models it has, who sells them, and what they cost; it is read once it is needed."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

FILE: Final = Path(__file__).with_name("prices.json")
OTHER: Final = "other"  # stands for the names of models that the list does not have


class Sellers(NamedTuple):
    """Who in the list asks the prices of a service, each in order; a service with none has no price."""

    #: Who asks the same prices.
    same: tuple[str, ...] = ()
    #: Who else sells a model, at the same full price but not with the same discount.
    alike: tuple[str, ...] = ()
    #: Who asks the same prices for flex processing.
    flex: tuple[str, ...] = ()
    #: The share of the full price that a batch costs where the list has no batch price.
    share: str = "1"


class Listed(msgspec.Struct, frozen=True):
    """A model of the list; prices are US dollars per million tokens."""

    #: The rule that the names of the model follow.
    named: dict[str, Any]
    input: Decimal
    output: Decimal
    #: Of input from the provider's cache; None where it costs what other input costs.
    cached: Decimal | None = None
    #: None where the list has no batch price.
    batch_input: Decimal | None = None
    batch_output: Decimal | None = None
    batch_cached: Decimal | None = None
    #: None where there is no flex processing.
    flex_input: Decimal | None = None
    flex_output: Decimal | None = None
    flex_cached: Decimal | None = None
    #: Of tokens of pictures; None where they cost what other tokens cost.
    image_input: Decimal | None = None
    image_output: Decimal | None = None
    batch_image_input: Decimal | None = None
    batch_image_output: Decimal | None = None
    #: Of input that is written to the cache; None where it costs what other input costs.
    written: Decimal | None = None
    #: Of input that is written to the cache for an hour; None where it costs what `written` does.
    written_hour: Decimal | None = None
    batch_written: Decimal | None = None
    batch_written_hour: Decimal | None = None


class PriceList(msgspec.Struct, frozen=True):
    """The list of prices."""

    source: str
    #: The day of the list.
    at: str
    sellers: dict[str, list[Listed]]


@cache
def price_list() -> PriceList:
    """Read the list."""
    return msgspec.json.decode(FILE.read_bytes(), type=PriceList)


def listed(sellers: Sellers, model: str) -> Listed | None:
    """Find a model in the list of a service, or of who else sells it at the same full price."""
    return find(sellers.same, model.lower()) or find(sellers.alike, model.lower())


def names(sellers: Sellers) -> Iterator[tuple[str, str]]:
    """Yield the models that the list spells out for a service, and who sells each."""
    for seller in (*sellers.same, *sellers.alike):
        for known in price_list().sellers[seller]:
            for name in _words(known.named, whole=True):
                yield name, seller


def seller_of(sellers: Sellers, model: str) -> str | None:
    """Return who sells a model of which a service has the price; None if the price is not known."""
    known = (*sellers.same, *sellers.alike)
    return next((seller for seller in known if find((seller,), model.lower())), None)


def first_name(model: Listed) -> str:
    """Return the first name that the list has for a model, or a part of one: the same whatever users write."""
    return next(_words(model.named, whole=False), OTHER)


def _words(rule: dict[str, Any], *, whole: bool) -> Iterator[str]:
    """Yield the names that a rule of the list has in full, or with `whole` False parts of names, too."""
    ((relation, value),) = rule.items()
    if isinstance(value, list):
        for each in value if relation == "or_" or not whole else []:
            yield from _words(each, whole=whole)
    elif relation == "equals" or not whole:
        yield value


def find(sellers: tuple[str, ...], model: str) -> Listed | None:
    """Find a model, whose name is in lower case, in the lists of sellers."""
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
