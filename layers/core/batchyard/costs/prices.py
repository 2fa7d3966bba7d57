"""What models cost in a batch: by the user's own list, else by the list prices."""

from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Final

import msgspec

from batchyard.costs.cost import Cost, Price, cost_of
from batchyard.costs.price_list import OTHER, Sellers, find, first_name, listed
from batchyard.costs.usage import Usage

# The endpoints whose answers are paid by the token.
PICTURES: Final = frozenset({"/v1/images/generations", "/v1/images/edits"})  # whose answers are pictures
PRICED: Final = PICTURES | {
    "/v1/responses", "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/moderations",
    "/v1/messages", "/v1/fim/completions",
}  # fmt: skip
# Such urls have a model in them.
PRICED_PATTERNS: Final = ("/model/*/invoke", "/model/*/converse")
# The endpoints that take a service tier. Source: OpenAI's guide on flex processing, 2026-11.
TIERED: Final = frozenset({"/v1/responses", "/v1/chat/completions"})
# Where a price comes from, as reports say it.
BATCH, FULL, FLEX, OWN = "listed batch price", "listed full price", "listed flex price", "your price list"
SHARE: Final = "share of the listed full price"  # that the service takes for a batch
MOST: Final = 1_000_000


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
        if endpoint not in PRICED and not any(fnmatchcase(endpoint, pattern) for pattern in PRICED_PATTERNS):
            return None
        if batch and (own := self._own.get(model)):
            return Price(own.input, _or(own.cached, own.input), own.output, OWN)
        return (batch_price if batch else full_price)(self._sellers, model)

    def listed_name(self, model: str) -> str:
        """Return the name under which the list has the price of a model: one of few, whatever users write; or `other`."""
        if model in self._own:
            return model
        found = listed(self._sellers, model)
        return first_name(found) if found else OTHER

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
    if not text:
        return {}
    found = OwnList()
    for model, each in msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items():
        try:
            found[model] = msgspec.json.decode(each, type=Own)
        except msgspec.ValidationError as error:
            raise ValueError(f"{model[:64]!r}: {error}") from error
    return found


@cache
def prices_of(sellers: Sellers, own: str) -> Prices:
    """Return the prices of a service; `own` is the text of the user's own list. Raises ValueError for any other text."""
    return Prices(sellers, read_own(own))


@lru_cache(maxsize=1_000)
def batch_price(sellers: Sellers, model: str) -> Price | None:
    """Look up what a model costs in a batch at a service; None if the price is not known.

    Without a batch price, the service's share of the full price holds. It is the whole where nobody knows better: services
    differ in what they take off, and some take off nothing.
    """
    found = find(sellers.same, model.lower())
    if found is None or found.batch_input is None or found.batch_output is None:
        return _part(full_price(sellers, model), Decimal(sellers.share))
    return Price(
        found.batch_input, _or(found.batch_cached, found.batch_input), found.batch_output, BATCH, found.batch_written,
        found.batch_written_hour,
    )  # fmt: skip


@lru_cache(maxsize=1_000)
def flex_price(sellers: Sellers, model: str) -> Price | None:
    """Look up what a model costs by flex processing at a service; None if it is not sold so."""
    found = find(sellers.flex, model.lower())
    if found is None or found.flex_input is None or found.flex_output is None:
        return None
    return Price(found.flex_input, _or(found.flex_cached, found.flex_input), found.flex_output, FLEX)


@lru_cache(maxsize=1_000)
def full_price(sellers: Sellers, model: str) -> Price | None:
    """Look up what a model costs outside of a batch; None if the price is not known."""
    found = listed(sellers, model)
    if found is None:
        return None
    cached = _or(found.cached, found.input)
    return Price(found.input, cached, found.output, FULL, found.written, found.written_hour)


def _part(price: Price | None, share: Decimal) -> Price | None:
    """Return a share of a full price; the basis says that it is no listed one."""
    if price is None or share == 1:
        return price
    return price.times(share, SHARE)


def _or(price: Decimal | None, other: Decimal) -> Decimal:
    return other if price is None else price
