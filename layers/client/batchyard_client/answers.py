"""The answers of a batch, one for each row, in the order of the rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from .errors import Refused

JSON_BEGINS: Final = ("{", "[")
DIGITS: Final = 12  # behind the point of dollars: what follows is noise of a sum


class AnswerError(msgspec.Struct, frozen=True):
    """Why a row has no answer."""

    code: str | None
    message: str | None

    def __str__(self) -> str:
        return f"{self.message or 'no reason was given'}{f' ({self.code})' if self.code else ''}"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one row."""

    #: The row of the table, or the request of a file of requests; None if the input is not at hand.
    row: dict[str, Any] | None
    custom_id: str | None
    #: The text of the answer; None if there is an error, or an answer without text.
    text: str | None = None
    #: The JSON in the text, or the vector of an embedding.
    data: Any = None
    #: The error; None if there is an answer.
    error: AnswerError | None = None
    finish_reason: str | None = None
    #: The tokens, as the provider counted them and in its words; None where the body has no `usage`.
    usage: dict[str, Any] | None = None
    #: The model that answered.
    model: str | None = None
    #: US dollars, as the batch's prices have it; None if they are not known.
    cost: float | None = None
    #: The whole body of the answer.
    body: Any = None


class Rate(msgspec.Struct, frozen=True):
    """Dollars a token, as a batch paid them on average."""

    input: float
    output: float


class Rates(msgspec.Struct, frozen=True):
    """Dollars a token, by model."""

    by_model: dict[str, Rate]

    def cost(self, model: str | None, tokens_in: int, tokens_out: int) -> float | None:
        """Return what an answer cost; None if that is not known. An answer may name a model by its longer name."""
        named = (name for name in self.by_model if (model or "").startswith(name))
        rate = self.by_model.get(max(named, key=len, default=""))
        if rate is None and len(self.by_model) == 1:
            (rate,) = self.by_model.values()
        return None if rate is None else round(tokens_in * rate.input + tokens_out * rate.output, DIGITS)


def rates_of(cost: dict[str, Any] | None) -> Rates | None:
    """Return what tokens cost in a batch; None if that is not known."""
    parts = (cost or {}).get("by_model") or {}
    found = {name: _rate(part) for name, part in parts.items() if part.get("usd") is not None}
    return Rates(found) if found else None


def _rate(part: dict[str, Any]) -> Rate:
    paid_in = (part.get("input_usd") or 0.0) + (part.get("cached_usd") or 0.0)
    tokens_in = part.get("input_tokens") or 0  # the cached ones are among these
    return Rate(paid_in / max(tokens_in, 1), (part.get("output_usd") or 0.0) / max(part.get("output_tokens") or 0, 1))


def answer_of(line: bytes, row: dict[str, Any] | None, rates: Rates | None) -> Answer:
    """Read one line of the results."""
    found = msgspec.json.decode(line)
    response, error = found.get("response") or {}, found.get("error")
    body = response.get("body") if isinstance(response, dict) else None
    body = body if isinstance(body, dict) else {}
    usage = body.get("usage") if isinstance(body.get("usage"), dict) else None
    failed = error or response.get("status_code", 200) >= 400 or not response
    text, finish, data = (None, None, None) if failed else _content(body)
    return Answer(
        row=row, custom_id=found.get("custom_id"), text=text, finish_reason=finish, usage=usage, model=body.get("model"),
        data=data if data is not None else _json(text),
        error=_error(error or body.get("error") or {}) if failed else None,
        cost=_cost(body, rates), body=body or None,
    )  # fmt: skip


class Answers:
    """The answers of a batch; each iteration begins with the first row, and memory holds one answer."""

    def __init__(
        self, lines: Callable[[], Iterator[bytes | None]], rows: Callable[[], Iterable[dict[str, Any] | None]] | None,
        rates: Rates | None, total: int, failed: int, usd: float | None, *, needed: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Read result lines, beside the rows if these are at hand; rows without one of the `needed` columns were not asked."""
        self._needed = needed
        self._lines, self._rows, self._rates = lines, rows, rates
        #: The rows with an error.
        self.failed = failed
        #: US dollars that the batch cost; None if that is not known.
        self.usd = usd
        self._total = total

    def __len__(self) -> int:
        """Return the number of rows that were asked."""
        return self._total

    def __iter__(self) -> Iterator[Answer]:
        """Yield the answers."""
        lines = self._lines()
        for number, row in enumerate(self._rows() if self._rows is not None else (), 1):
            line = next(lines, None)
            if line is None and not self._needed:
                raise Refused("There are fewer results than rows. Is this the input of that batch?")
            yield self._not_asked(number, row) if line is None else answer_of(line, row, self._rates)
        for line in lines:
            if self._rows is not None or line is None:
                raise Refused("There are more results than rows. Is this the input of that batch?")
            yield answer_of(line, None, self._rates)

    def _not_asked(self, number: int, row: dict[str, Any] | None) -> Answer:
        column = next((name for name in self._needed if (row or {}).get(name) in (None, "")), self._needed[0])
        told = f"Row {number} was not asked, because its column {column!r} is null."
        return Answer(row=row, custom_id=None, error=AnswerError("skipped", told))


def _content(body: dict[str, Any]) -> tuple[str | None, str | None, Any]:
    """Return the text, the finish reason and the data of an answer of each endpoint."""
    choices, data = body.get("choices"), body.get("data")
    if isinstance(choices, list) and choices:
        first = choices[0]
        message = first.get("message") or {}
        return message.get("content") or first.get("text"), first.get("finish_reason") or first.get("stop_reason"), None
    if isinstance(body.get("output"), list):
        parts = [part for item in body["output"] for part in item.get("content") or [] if isinstance(part, dict)]
        text = "".join(part.get("text") or "" for part in parts if part.get("type") == "output_text")
        return text or None, body.get("status"), None
    if body.get("type") == "message" and isinstance(body.get("content"), list):
        blocks = [block for block in body["content"] if isinstance(block, dict) and block.get("type") == "text"]
        return "".join(block.get("text") or "" for block in blocks) or None, body.get("stop_reason"), None
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return None, None, data[0].get("embedding")
    return _native(body)


def _native(body: dict[str, Any]) -> tuple[str | None, str | None, Any]:
    """Read an answer in a shape of Amazon Bedrock's own, if it has one."""
    from .tables import shapes  # noqa: PLC0415 - only where no other shape fits

    said = shapes.said_in(body)
    return (said.text, said.stop_reason, None) if said else (None, None, None)


def _json(text: str | None) -> Any:  # noqa: ANN401 - whatever JSON holds
    if text is None or not text.lstrip().startswith(JSON_BEGINS):
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return None  # text that only begins like JSON


def _error(error: dict[str, Any]) -> AnswerError:
    return AnswerError(error.get("code") or error.get("type"), error.get("message"))


def _cost(body: dict[str, Any], rates: Rates | None) -> float | None:
    if rates is None:
        return None
    from .tables.shapes import tokens_of  # noqa: PLC0415 - only where a price is known

    sent, _, got = tokens_of(body)
    return None if sent is None and got is None else rates.cost(body.get("model"), sent or 0, got or 0)
