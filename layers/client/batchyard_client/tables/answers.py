"""What stands in a result line: the answer, why the model stopped, what was wrong, and the tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from .cells import DECODE, JSON, unpacked_vector
from .native import said_in, tokens_in
from .recipe import CHAT, EMBEDDINGS, MESSAGES, MODEL_URL, RESPONSES, Recipe
from .schema import Field

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


_Found = tuple[object, str | None, str | None]


def found_in(url: str, body: Mapping[str, Any]) -> tuple[object, str | None, str | None]:
    """Return the answer of a body as its endpoint gives it, why the model stopped, and the words of a refusal.

    Where the url is empty, or names a model of Amazon Bedrock, the body's own shape tells.
    """
    if url and not MODEL_URL.fullmatch(url):
        return _FINDERS.get(url, _whole)(body)
    return next((find for name, find in _LIKELY.items() if name in body), _of_native)(body)


def tokens_of(body: Mapping[str, Any]) -> tuple[int | None, int, int | None]:
    """Return the tokens of a request, those of them that came from the cache, and the tokens of its answer."""
    if (native := tokens_in(body)) is not None:
        return native
    used = _mapping(body.get("usage"))
    details = _mapping(used.get("prompt_tokens_details") or used.get("input_tokens_details"))
    cached = _count(details, "cached_tokens") or _count(used, "cache_read_input_tokens") or 0
    return _sent(used), cached, _count(used, "completion_tokens", "output_tokens")


def _of_chat(body: Mapping[str, Any]) -> _Found:
    choice = _first(body.get("choices"))
    message = _mapping(choice.get("message"))
    content = message.get("content")
    if content is None and message.get("tool_calls"):
        content = message["tool_calls"]
    return _text(content), _text(choice.get("finish_reason")), _refused(message.get("refusal"))


def _of_completions(body: Mapping[str, Any]) -> _Found:
    choice = _first(body.get("choices"))
    return _text(choice.get("text")), _text(choice.get("finish_reason")), None


def _of_responses(body: Mapping[str, Any]) -> _Found:
    texts: list[str] = []
    refusal = None
    for item in _list(body.get("output")):
        for part in _list(_mapping(item).get("content")) if _mapping(item).get("type") == "message" else []:
            each = _mapping(part)
            if each.get("type") == "output_text":
                texts.append(str(each.get("text", "")))
            refusal = refusal or _refused(each.get("refusal"))
    reason = _mapping(body.get("incomplete_details")).get("reason") or body.get("status")
    return "".join(texts) if texts else None, _text(reason), refusal


def _of_messages(body: Mapping[str, Any]) -> _Found:
    blocks = [_mapping(block) for block in _list(body.get("content"))]
    texts = [str(block.get("text", "")) for block in blocks if block.get("type") == "text"]
    said: object = "".join(texts) if texts else [each for each in blocks if each.get("type") == "tool_use"] or None
    reason = _text(body.get("stop_reason"))
    return _text(said), reason, _refused(_text(said) or reason) if reason == "refusal" else None


def _of_embeddings(body: Mapping[str, Any]) -> _Found:
    vector = _first(body.get("data")).get("embedding")
    if isinstance(vector, str):
        vector = unpacked_vector(vector)
    fine = isinstance(vector, list) and all(isinstance(each, int | float) for each in vector)
    return (vector, None, None) if fine else (None, None, "the answer has no vector")


def _of_native(body: Mapping[str, Any]) -> _Found:
    said = said_in(body)
    if said is None:
        return _whole(body)
    return _text(said.text if said.text is not None else said.calls or None), said.stop_reason, _refused(said.refused)


def _whole(body: Mapping[str, Any]) -> _Found:
    return _text(body), None, None


_FINDERS: Final[dict[str, Callable[[Mapping[str, Any]], _Found]]] = {
    CHAT: _of_chat,
    RESPONSES: _of_responses,
    MESSAGES: _of_messages,
    EMBEDDINGS: _of_embeddings,
    "/v1/completions": _of_completions,
}
# Models of others that Bedrock has answer as their own APIs do.
_LIKELY: Final = {"choices": _of_chat, "content": _of_messages}


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


def _sent(used: Mapping[str, Any]) -> int | None:
    """Count the tokens of a request; a message counts those of the cache beside the others."""
    told = _count(used, "prompt_tokens", "input_tokens")
    if told is None or "prompt_tokens" in used:
        return told
    return told + sum(_count(used, f"cache_{name}_input_tokens") or 0 for name in ("creation", "read"))


def _refused(text: object) -> str | None:
    return f"refusal: {text}" if text else None


def _text(value: object) -> str | None:
    """Return text as it is, and anything else as JSON."""
    return value if value is None or isinstance(value, str) else JSON.encode(value).decode()


def _count(used: Mapping[str, Any], *names: str) -> int | None:
    found = (used.get(name) for name in names)
    return next((each for each in found if isinstance(each, int) and not isinstance(each, bool)), None)


def _first(value: object) -> Mapping[str, Any]:
    return _mapping(value[0]) if isinstance(value, list) and value else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
