"""What a run may cost: a guess, and a bound that it cannot pass."""

from collections.abc import Iterable
from decimal import ROUND_UP, Decimal
from typing import NamedTuple

from batch_client import Facts
from batchyard.costs.cost import PER_DOLLAR, cost_of
from batchyard.costs.price_list import Sellers
from batchyard.costs.prices import Prices, prices_of
from batchyard.costs.usage import Usage
from local.prove.lines import MOST_TOKENS, Asked, Batch

_BYTES_OF_A_TOKEN = 4


class Estimate(NamedTuple):
    """What the requests of a run may use and cost; dollars are None where the price is not known."""

    requests: int
    #: A token has one byte at least, so no count can be above it.
    most_input_tokens: int
    most_output_tokens: int
    #: By the price of a batch, with four bytes a token.
    usd: Decimal | None
    #: By the full price, as if the service took nothing off.
    most_usd: Decimal | None
    basis: str

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        used = (
            f"{self.requests} requests, of at most {self.most_input_tokens:,} tokens in and "
            f"{self.most_output_tokens:,} out"
        )
        if self.usd is None or self.most_usd is None:
            return f"{used}. Their price is not known: look it up before you say yes."
        return f"{used}: about ${_shown(self.usd)} by the {self.basis}, and at most ${_shown(self.most_usd)} by its full price."


def prices(facts: Facts, own: str) -> Prices:
    """Return the prices of a service; raises ValueError where `own`, the user's own list, is no list of prices."""
    return prices_of(Sellers(facts.sellers, facts.sellers_alike, facts.flex_sellers, str(facts.price)), own)


def estimate(batches: Iterable[Batch], asked: Asked, known: Prices) -> Estimate:
    """Estimate what it costs to have every request of the jobs answered once."""
    lines = [line for batch in batches for line in batch.lines]
    size, output = sum(map(len, lines)), MOST_TOKENS * len(lines)
    price, full = known.of(asked.model, asked.url), known.of(asked.model, asked.url, batch=False)
    if price is None:
        return Estimate(len(lines), size, output, None, None, "")
    full = full or price
    dearest = price._replace(input=max(price.input, full.input), output=max(price.output, full.output))
    usual = cost_of(Usage(size // _BYTES_OF_A_TOKEN, 0, output), price).amount
    most = cost_of(Usage(size, 0, output), dearest).amount
    return Estimate(len(lines), size, output, _dollars(usual), _dollars(most), price.basis)


def spent(used: Usage, asked: Asked, known: Prices) -> Decimal | None:
    """Return what tokens cost that were used; None where their price is not known."""
    cost = known.cost(used, asked.model, asked.url)
    return None if cost.unpriced else _dollars(cost.amount)


def _dollars(amount: int) -> Decimal:
    return Decimal(amount) / PER_DOLLAR


def _shown(usd: Decimal) -> str:
    """Round up: a bound that is said must hold."""
    return str(usd.quantize(Decimal("0.01" if usd >= 1 else "0.00001"), ROUND_UP))
