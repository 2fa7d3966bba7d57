"""What stands in a result line: the answer, why the model stopped, what was wrong, and the tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from .cells import DECODE
from .recipe import EMBEDDINGS, MODEL_URL, Recipe
from .schema import Field
from .shapes import found_in, tokens_of

#: What tokens cost in US dollars: model, input, cached input and output tokens; None where that is not known.
Price = Callable[[str, int, int, int], float | None]
#: The columns behind the answer.
FACTS: Final = (
    Field("finish_reason", "text"),
    Field("error", "text"),
    Field("input_tokens", "integer"),
    Field("output_tokens", "integer"),
    Field("cost_usd", "number"),
)
_SUCCESS: Final = range(200, 300)


@dataclass(frozen=True)
class Answer:
    """What became of one row."""

    #: The values of the columns of the answer.
    values: tuple[Any, ...]
    finish_reason: str | None = None
    error: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None

    @property
    def row(self) -> tuple[Any, ...]:
        """List the values of all new columns."""
        facts = (self.finish_reason, self.error, self.input_tokens, self.output_tokens, self.cost_usd)
        return (*self.values, *facts)


class Reader:
    """Reads answers as a recipe's endpoint gives them."""

    def __init__(self, recipe: Recipe, price: Price | None = None) -> None:
        self._output, self._price = recipe.output, price
        self._url = recipe.url
        named = MODEL_URL.fullmatch(recipe.url)
        self._model = unquote(named["model"]) if named else None
        #: The columns of the answer.
        self.fields = _answer_fields(recipe)

    def skipped(self, row: int, column: str) -> Answer:
        """Return what stands for a row that was not asked, because its cell of a column is null."""
        told = f"skipped: row {row} was not asked, because its column {column!r} is null"
        return Answer((None,) * len(self.fields), error=told)

    def read(self, line: Mapping[str, Any]) -> Answer:
        """Read a result line."""
        response = _mapping(line.get("response"))
        body = _mapping(response.get("body"))
        good = response.get("status_code") in _SUCCESS
        found, reason, refusal = found_in(self._url, body) if good else (None, None, None)
        error = error_of(line) or refusal
        values, fault = self._values(found)
        sent, cached, got = tokens_of(body)
        return Answer(values, reason, error or fault, sent, got, self._cost(body, sent, cached, got))

    def _values(self, found: object) -> tuple[tuple[Any, ...], str | None]:
        """Lay the answer into its columns; say what is wrong where it does not fit."""
        nothing = (None,) * len(self.fields)
        if found is None:
            return nothing, None
        if self._output is None:
            return (found,), None
        try:
            members = DECODE(str(found))
        except (msgspec.MsgspecError, RecursionError):
            return nothing, f"the answer is no JSON: {found}"
        if not isinstance(members, dict):
            return nothing, f"the answer is no object: {found}"
        if wrong := [each.name for each in self.fields if not each.fits(members.get(each.name))]:
            return nothing, f"the answer does not fit the schema in {', '.join(wrong)}: {found}"
        return tuple(members.get(each.name) for each in self.fields), None

    def _cost(self, body: Mapping[str, Any], sent: int | None, cached: int, got: int | None) -> float | None:
        told = _mapping(body.get("usage")).get("cost")  # gateways such as OpenRouter say what they take
        if isinstance(told, int | float) and not isinstance(told, bool):
            return float(told)
        model = body.get("model", self._model)
        if self._price is None or not isinstance(model, str) or (sent is None and got is None):
            return None
        return self._price(model, sent or 0, cached, got or 0)


def _answer_fields(recipe: Recipe) -> tuple[Field, ...]:
    if recipe.output is not None:
        return recipe.output.fields
    if recipe.url == EMBEDDINGS:
        return (Field("embedding", "vector"),)
    return (Field("answer", "text"),)


def error_of(line: Mapping[str, Any]) -> str | None:
    """Say in one text what the provider or Batchyard says is wrong with a line; None if nothing is."""
    response = _mapping(line.get("response"))
    good = response.get("status_code") in _SUCCESS
    told = _mapping(line.get("error")) or ({} if good else _mapping(_mapping(response.get("body")).get("error")))
    if not told and good:
        return None
    if not told and not response:
        return "no answer came"
    code = told.get("code") or told.get("type") or response.get("status_code") or "error"
    return f"{code}: {told['message']}" if told.get("message") else str(code)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
