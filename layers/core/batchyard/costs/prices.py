"""What models cost in a batch, by the list prices of `prices.json`; the list is read only for an estimate."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from batchyard.costs.cost import Cost, Price, cost_of
from batchyard.costs.usage import Usage

FILE: Final = Path(__file__).with_name("prices.json")
# The endpoints whose answers are paid by the token.
PICTURES: Final = frozenset({"/v1/images/generations", "/v1/images/edits"})  # whose answers are pictures
PRICED: Final = PICTURES | {
    "/v1/responses", "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/moderations",
    "/v1/messages",
}  # fmt: skip
# The endpoints that take a service tier. Source: OpenAI's guide on flex processing, 2026-11.
TIERED: Final = frozenset({"/v1/responses", "/v1/chat/completions"})
# Where a price comes from, as reports say it.
BATCH, FULL, FLEX, OWN = "listed batch price", "listed full price", "listed flex price", "your price list"
SHARE: Final = "share of the listed full price"  # that the service takes for a batch
MOST: Final = 1_000_000
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


class PriceList(msgspec.Struct, frozen=True):
    """The list of prices."""

    source: str
    #: The day of the list.
    at: str
    sellers: dict[str, list[Listed]]


class Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model of the user's own list: US dollars per million tokens in a batch."""

    input: Decimal
    output: Decimal = Decimal(0)
    #: None: as `input`.
    cached: Decimal | None = None
    #: Of tokens of pictures; None: as `input`, and as `output`.
    image_input: Decimal | None = None
    image_output: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse what is no price."""
        if not all(price is None or 0 <= price <= MOST for price in msgspec.structs.astuple(self)):
            raise ValueError(f"a price is at least 0 and at most {MOST:,} dollars per million tokens")


OwnList = dict[str, Own]  # by the name of the model


class Prices:
    """What models cost in a batch at one service."""

    def __init__(self, sellers: Sellers, own: OwnList | None = None) -> None:
        """Price a service by these sellers; the user's `own` list goes before ours."""
        self._sellers, self._own = sellers, own or {}

    def of(self, model: str, endpoint: str, *, batch: bool = True) -> Price | None:
        """Look up what a model costs in a batch, or outside of one; None if the price is not known."""
        if endpoint not in PRICED:
            return None
        if batch and (own := self._own.get(model)):
            return Price(own.input, _or(own.cached, own.input), own.output, OWN)
        return (batch_price if batch else full_price)(self._sellers, model)

    def listed_name(self, model: str) -> str:
        """Return the name under which the list has the price of a model: one of few, whatever users write; or `other`."""
        if model in self._own:
            return model
        found = listed(self._sellers, model)
        return next(_words(found.named, whole=False), OTHER) if found else OTHER

    def by_flex(self, model: str, endpoint: str) -> Price | None:
        """Look up what a model costs by flex processing, outside of a batch; None if it is not sold so."""
        return flex_price(self._sellers, model) if endpoint in TIERED else None

    def sells_flex(self, model: str, endpoint: str) -> bool:
        """Tell whether flex processing costs no more than a batch."""
        flex, batch = self.by_flex(model, endpoint), batch_price(self._sellers, model)
        if flex is None or batch is None:
            return False
        return flex.input <= batch.input and flex.cached <= batch.cached and flex.output <= batch.output

    def cost(self, usage: Usage, model: str, endpoint: str, *, batch: bool = True) -> Cost:
        """Return what tokens cost in a batch, or outside of one; those of pictures may have prices of their own."""
        price = self.of(model, endpoint, batch=batch)
        if price is None:
            return cost_of(usage, price)
        image_input, image_output = self._of_pictures(model, batch=batch, basis=price.basis)
        part = usage.of_pictures(all_output=endpoint in PICTURES)
        priced = price._replace(input=_or(image_input, price.input), output=_or(image_output, price.output))
        return cost_of(usage - part, price) + cost_of(part, priced)

    def _of_pictures(self, model: str, *, batch: bool, basis: str) -> tuple[Decimal | None, Decimal | None]:
        if batch and (own := self._own.get(model)):
            return own.image_input, own.image_output
        found = listed(self._sellers, model)
        if found is None:
            return None, None
        of_batch = found.batch_image_input, found.batch_image_output
        return of_batch if basis == BATCH else (found.image_input, found.image_output)


def read_own(text: str) -> OwnList:
    """Read the user's own list; raises ValueError, which names what is wrong."""
    return msgspec.json.decode(text, type=OwnList) if text else {}


@cache
def prices_of(sellers: Sellers, own: str) -> Prices:
    """Return the prices of a service; `own` is the text of the user's own list. Raises ValueError for any other text."""
    return Prices(sellers, read_own(own))


@cache
def price_list() -> PriceList:
    """Read the list."""
    return msgspec.json.decode(FILE.read_bytes(), type=PriceList)


@lru_cache(maxsize=1_000)
def batch_price(sellers: Sellers, model: str) -> Price | None:
    """Look up what a model costs in a batch at a service; None if the price is not known.

    Without a batch price, the service's share of the full price holds. It is the whole where nobody knows better: services
    differ in what they take off, and some take off nothing.
    """
    found = _find(sellers.same, model.lower())
    if found is None or found.batch_input is None or found.batch_output is None:
        return _part(full_price(sellers, model), Decimal(sellers.share))
    return Price(found.batch_input, _or(found.batch_cached, found.batch_input), found.batch_output, BATCH)


@lru_cache(maxsize=1_000)
def flex_price(sellers: Sellers, model: str) -> Price | None:
    """Look up what a model costs by flex processing at a service; None if it is not sold so."""
    found = _find(sellers.flex, model.lower())
    if found is None or found.flex_input is None or found.flex_output is None:
        return None
    return Price(found.flex_input, _or(found.flex_cached, found.flex_input), found.flex_output, FLEX)


@lru_cache(maxsize=1_000)
def full_price(sellers: Sellers, model: str) -> Price | None:
    """Look up what a model costs outside of a batch; None if the price is not known."""
    found = listed(sellers, model)
    return Price(found.input, _or(found.cached, found.input), found.output, FULL) if found else None


def listed(sellers: Sellers, model: str) -> Listed | None:
    """Find a model in the list of a service, or of who else sells it at the same full price."""
    return _find(sellers.same, model.lower()) or _find(sellers.alike, model.lower())


def names(sellers: Sellers) -> Iterator[tuple[str, str]]:
    """Yield the models that the list spells out for a service, and who sells each."""
    for seller in (*sellers.same, *sellers.alike):
        for known in price_list().sellers[seller]:
            for name in _words(known.named, whole=True):
                yield name, seller


def seller_of(sellers: Sellers, model: str) -> str | None:
    """Return who sells a model of which a service has the price; None if the price is not known."""
    known = (*sellers.same, *sellers.alike)
    return next((seller for seller in known if _find((seller,), model.lower())), None)


def _part(price: Price | None, share: Decimal) -> Price | None:
    """Return a share of a full price; the basis says that it is no listed one."""
    if price is None or share == 1:
        return price
    return Price(price.input * share, price.cached * share, price.output * share, SHARE)


def _words(rule: dict[str, Any], *, whole: bool) -> Iterator[str]:
    """Yield the names that a rule of the list has in full, or with `whole` False parts of names, too."""
    ((relation, value),) = rule.items()
    if isinstance(value, list):
        for each in value if relation == "or_" or not whole else []:
            yield from _words(each, whole=whole)
    elif relation == "equals" or not whole:
        yield value


def _or(price: Decimal | None, other: Decimal) -> Decimal:
    return other if price is None else price


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
