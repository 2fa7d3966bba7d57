"""What tokens cost, as whole numbers of a millionth of a millionth of a US dollar, so that sums are exact."""

from decimal import Decimal
from operator import add, sub
from typing import Any, Final, NamedTuple

import msgspec

from batchyard.costs.usage import Usage

PER_DOLLAR: Final = 10**12
SHOWN_DIGITS: Final = 6  # of a dollar
EXACT_DIGITS: Final = 12


class Price(NamedTuple):
    """What tokens of a model cost in a batch, in US dollars per million."""

    input: Decimal
    #: Of input that came from the provider's cache.
    cached: Decimal
    output: Decimal
    #: Where the price comes from, in words for people.
    basis: str
    #: Of input that is written to the cache; None where it costs what other input costs.
    written: Decimal | None = None
    #: Of input that is written to the cache for an hour; None where it costs what `written` does.
    written_hour: Decimal | None = None

    def times(self, share: Decimal, basis: str) -> "Price":
        """Return a share of the price."""
        each = [None if price is None else price * share for price in (self.written, self.written_hour)]
        return Price(self.input * share, self.cached * share, self.output * share, basis, *each)


class Cost(msgspec.Struct, frozen=True, omit_defaults=True):
    """An amount in parts of 1 / PER_DOLLAR dollars."""

    #: Input tokens that were not read from the cache.
    input: int = 0
    cached: int = 0
    #: Output tokens, with reasoning tokens among them.
    output: int = 0
    #: Tokens whose price is not known. They are in no amount.
    unpriced: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        """Sum member by member."""
        return Cost(*map(add, msgspec.structs.astuple(self), msgspec.structs.astuple(other)))

    def __sub__(self, other: "Cost") -> "Cost":
        """Subtract member by member."""
        return Cost(*map(sub, msgspec.structs.astuple(self), msgspec.structs.astuple(other)))

    @property
    def amount(self) -> int:
        """Return the sum of what is priced."""
        return self.input + self.cached + self.output

    def shape(self, digits: int = SHOWN_DIGITS) -> dict[str, Any]:
        """Shape the members of a `cost`, in US dollars; `usd` is null where tokens have no price."""
        parts = {"input_usd": self.input, "cached_usd": self.cached, "output_usd": self.output}
        return {
            "usd": None if self.unpriced else dollars(self.amount, digits),
            **{name: dollars(amount, digits) for name, amount in parts.items()},
            **({"unpriced_tokens": self.unpriced} if self.unpriced else {}),
        }  # fmt: skip


def cost_of(usage: Usage, price: Price | None) -> Cost:
    """Return what tokens cost; those read from a cache, and those written there, are among the input tokens."""
    if price is None:
        return Cost(unpriced=usage.input_tokens + usage.output_tokens)
    cached = min(usage.cached_tokens, usage.input_tokens)
    fresh = usage.input_tokens - cached
    spent = fresh * price.input + _extra_of_written(usage, price, fresh), cached * price.cached
    return Cost(*(int(each * PER_DOLLAR / 1_000_000) for each in (*spent, usage.output_tokens * price.output)))


def _extra_of_written(usage: Usage, price: Price, fresh: int) -> Decimal:
    """Return what tokens cost, in millionths of a dollar, beyond the price of other input, as they are written to the cache."""
    if price.written is None or not usage.written_tokens:
        return Decimal(0)
    written = min(usage.written_tokens, fresh)
    of_hour = min(usage.written_hour_tokens, written)
    dearer = (price.written if price.written_hour is None else price.written_hour) - price.written
    return written * (price.written - price.input) + of_hour * dearer


def dollars(amount: int, digits: int = SHOWN_DIGITS) -> float:
    """Return an amount in dollars, to a millionth; half of one is rounded to the even neighbour."""
    return float(round(Decimal(amount) / PER_DOLLAR, digits))
