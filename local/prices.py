"""Write the price list for Batchyard's estimates from the price list of genai-prices: `make prices`."""

from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any, Final

import msgspec
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, Provider

from local import ROOT

PLACE: Final = ROOT / "layers/core/batchyard/costs/prices.json"
# Services with a batch API, and makers of models that gateways offer.
SELLERS: Final = ("openai", "azure", "groq", "together", "anthropic", "google", "mistral", "deepseek", "x-ai", "aws")
SAMPLE: Final = 1_000  # tokens: so few that the price is that of a short prompt, where long prompts cost more
BATCH: Final = {"processing": "batch"}
FLEX: Final = {"service_tier": "flex"}


def document(at: datetime) -> dict[str, Any]:
    """Return the list of a time: for each seller, names of models and their US dollars per million tokens."""
    known = {provider.id: provider for provider in get_snapshot().providers}
    sellers = {name: [_model(known[name], model, at) for model in known[name].models] for name in SELLERS}
    return {
        "source": f"genai-prices {version('genai-prices')}",
        "at": at.date().isoformat(),
        "sellers": {name: [model for model in models if model is not None] for name, models in sellers.items()},
    }


def _model(provider: Provider, model: ModelInfo, at: datetime) -> dict[str, Any] | None:
    """Return one model; None if it is free or not sold by input tokens."""
    usual, others = _prices(provider, model, at, {}), {"batch": BATCH, "flex": FLEX}
    if not Decimal(usual.get("input", 0)):
        return None
    listed = {sort: _prices(provider, model, at, context) for sort, context in others.items()}
    members = {
        f"{sort}_{name}": price
        for sort, prices in listed.items()
        if prices != usual
        for name, price in prices.items()
        if (sort, name) != ("flex", "written")  # no answer by flex processing tells these tokens
    }
    return {"named": msgspec.to_builtins(model.match), **usual, **members}


def _prices(provider: Provider, model: ModelInfo, at: datetime, context: dict[str, str]) -> dict[str, str]:
    """Return the prices of input, output, the cache and pictures; what costs what other tokens cost is left out."""
    plain = _price(provider, model, at, context, Usage(input_tokens=SAMPLE, output_tokens=SAMPLE))
    of_cached = Usage(input_tokens=SAMPLE, cache_read_tokens=SAMPLE, output_tokens=SAMPLE)
    cached = _price(provider, model, at, context, of_cached)[0]
    of_written = Usage(input_tokens=SAMPLE, cache_write_tokens=SAMPLE, output_tokens=SAMPLE)
    of_hour = Usage(input_tokens=SAMPLE, cache_write_tokens=SAMPLE, cache_write_1h_tokens=SAMPLE, output_tokens=SAMPLE)
    written, hour = (_price(provider, model, at, context, each)[0] for each in (of_written, of_hour))
    of_pictures = Usage(
        input_tokens=SAMPLE, input_image_tokens=SAMPLE, output_tokens=SAMPLE, output_image_tokens=SAMPLE
    )
    pictures = _price(provider, model, at, context, of_pictures)
    known = {"input": str(plain[0]), "output": str(plain[1])}
    others = {
        "cached": (cached, plain[0]),
        "written": (written, plain[0]),
        "written_hour": (hour, written),
        "image_input": (pictures[0], plain[0]),
        "image_output": (pictures[1], plain[1]),
    }
    return {**known, **{name: str(price) for name, (price, usual) in others.items() if price != usual}}


def _price(
    provider: Provider, model: ModelInfo, at: datetime, context: dict[str, str], usage: Usage
) -> tuple[Decimal, Decimal]:
    found = model.calc_price(usage, provider, genai_request_timestamp=at, price_context=context)
    million = Decimal(1_000_000) / SAMPLE
    return _plain(found.input_price * million), _plain(found.output_price * million)


def _plain(amount: Decimal) -> Decimal:
    """Remove zeros at the end, without an exponent in their place."""
    return amount.quantize(Decimal(1)) if amount == amount.to_integral() else amount.normalize()


if __name__ == "__main__":
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    PLACE.write_bytes(msgspec.json.format(msgspec.json.encode(document(today)), indent=1) + b"\n")
