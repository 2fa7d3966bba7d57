"""What the tokens of messages cost: a batch costs half, and what is written to or read from a cache has its own price."""

from decimal import Decimal
from typing import Any, Final

from local.emulator.bill import BATCH, STANDARD, PriceList

_WRITTEN_TO_CACHE, _READ_FROM_CACHE = Decimal("1.25"), Decimal("0.1")
_HALF: Final = Decimal("0.5")
_MILLION: Final = 1_000_000
COUNTED: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


def dollars(prices: PriceList, model: str, usage: dict[str, Any], *, batch: bool) -> Decimal | None:
    """Return what one message costs; None without a price. Without a batch price of its own, a model costs half."""
    found = prices.of(model)
    if "input" not in found:
        return None
    listed = batch and f"{BATCH}input" in found
    way, share = (BATCH, Decimal(1)) if listed else (STANDARD, _HALF if batch else Decimal(1))
    fresh = Decimal(found[f"{way}input"])
    read = Decimal(found[f"{way}cached"]) if f"{way}cached" in found else fresh * _READ_FROM_CACHE
    each = (fresh, fresh * _WRITTEN_TO_CACHE, read, Decimal(found[f"{way}output"]))
    counted = (int(usage.get(name) or 0) for name in COUNTED)
    return sum((tokens * price for tokens, price in zip(counted, each, strict=True)), Decimal(0)) * share / _MILLION


def summed(total: dict[str, int], usage: dict[str, Any]) -> dict[str, int]:
    """Return the sum of the tokens so far and those of one message."""
    return {name: total.get(name, 0) + int(usage.get(name) or 0) for name in COUNTED}
