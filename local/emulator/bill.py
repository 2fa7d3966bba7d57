"""The emulator's bill in US dollars, by a list of prices that its user gives: the file that `make prices` writes.

The emulator reads the list in its own way, so that a program's dollars can be held against the emulator's.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from local.emulator.batches import Usage

MAKERS: Final = "openai,anthropic,google,mistral,deepseek,x-ai"
STANDARD, BATCH, FLEX = "", "batch_", "flex_"
"""What comes before the names of a model's prices, by the way its tokens were asked for."""
_PICTURES: Final = "/v1/images/"
_MILLION: Final = 1_000_000
_DIGITS: Final = 12  # of a dollar: no sum of tokens times prices has more


class PriceList:
    """What the tokens of each model cost; nothing has a price without a list."""

    def __init__(self, models: list[dict[str, Any]]) -> None:
        self._models = models

    @classmethod
    def read(cls, path: Path | None, sellers: str = MAKERS) -> "PriceList":
        """Read the prices of some sellers; a model is that of the first seller who has it."""
        if path is None:
            return cls([])
        known = msgspec.json.decode(path.read_bytes())["sellers"]
        return cls([model for seller in sellers.split(",") for model in known[seller]])

    @classmethod
    def read_if_there(cls, path: Path | None, seller: str) -> "PriceList":
        """Read the prices of a seller; a list that does not name it has none."""
        try:
            return cls.read(path, seller)
        except KeyError:
            return cls([])

    @property
    def empty(self) -> bool:
        """Tell whether there is no list."""
        return not self._models

    def sells(self, model: str, way: str) -> bool:
        """Tell whether a model has a price of its own for one way of asking."""
        return f"{way}input" in self.of(model)

    def dollars(self, model: str, way: str, usage: Usage, endpoint: str) -> Decimal | None:
        """Return what tokens cost; None without a price. A way that has no price of its own costs the full price."""
        found = self.of(model)
        if "input" not in found:
            return None
        way = way if self.sells(model, way) else STANDARD
        fresh = Decimal(found[f"{way}input"])
        cached = Decimal(found.get(f"{way}cached", fresh))
        written = Decimal(found[f"{way}output"])
        if endpoint.startswith(_PICTURES):  # all that is written is pictures, which may cost otherwise
            written = Decimal(found.get(f"{way}image_output", written))
        extra = usage.written_tokens * (Decimal(found.get(f"{way}written", fresh)) - fresh)
        whole = (usage.input_tokens - usage.cached_tokens) * fresh + usage.cached_tokens * cached + extra
        return (whole + usage.output_tokens * written) / _MILLION

    def of(self, model: str) -> Mapping[str, Any]:
        """Return what the list says of a model; nothing of one that it does not name."""
        return next((known for known in self._models if _fits(known["named"], model.lower())), {})


def _fits(rule: Mapping[str, Any], model: str) -> bool:
    """Tell whether a rule of the list names a model."""
    ((relation, wanted),) = rule.items()
    if relation in ("or_", "and_"):
        return (any if relation == "or_" else all)(_fits(each, model) for each in wanted)
    if relation == "regex":
        return re.search(wanted, model) is not None
    plain = wanted.lower()
    if relation == "equals":
        return bool(model == plain)
    if relation in ("starts_with", "ends_with"):
        return bool(model.startswith(plain) if relation == "starts_with" else model.endswith(plain))
    return plain in model


def shown(dollars: Decimal | None) -> float | None:
    """Return dollars as JSON has them."""
    return None if dollars is None else float(round(dollars, _DIGITS))
