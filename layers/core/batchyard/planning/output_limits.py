"""How many tokens of output the lines allow: what an estimate needs beside the size of the lines."""

from typing import Any, Final

import msgspec

from batchyard.costs.answer_usage import MOST_TOKENS
from batchyard.lines.line import EMBEDDINGS, Line

ASSUMED_OUTPUT: Final = 1_000  # tokens of an answer without a limit
SILENT: Final = frozenset({EMBEDDINGS, "/v1/moderations"})  # endpoints whose answers have no tokens


class OutputLimits(msgspec.Struct):
    """How much output the lines of one target allow."""

    endpoint: str
    model: str
    lines: int = 0
    #: The sum of the limits that lines set.
    tokens: int = 0
    #: Answers without a limit.
    unlimited: int = 0


class _Body(msgspec.Struct, gc=False):
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n: Any = None


class _Request(msgspec.Struct, gc=False):
    body: _Body


_REQUEST = msgspec.json.Decoder(_Request)


class Meter:
    """Sum up the output limits of lines by target."""

    def __init__(self, output_limits: list[OutputLimits]) -> None:
        """Go on from these sums, and keep them up to date."""
        self._sums = output_limits
        self._by_target = {(each.endpoint, each.model): each for each in output_limits}

    def add(self, line: Line, text: bytes) -> None:
        """Add a well-formed line."""
        target = line.url, line.body.model
        sums = self._by_target.get(target)
        if sums is None:
            sums = self._by_target[target] = OutputLimits(*target)
            self._sums.append(sums)
        sums.lines += 1
        if line.url in SILENT:
            return
        body = _body(text)
        limits = body.max_completion_tokens, body.max_output_tokens, body.max_tokens
        limit = next((each for each in limits if _is_count(each)), None)
        answers = body.n if _is_count(body.n) else 1
        if limit is None:
            sums.unlimited += answers
        else:
            sums.tokens = min(sums.tokens + limit * answers, MOST_TOKENS)


def _body(text: bytes) -> _Body:
    """Read the limits of a body; a number that is too large to read is no limit, as the check of lines does not look at it."""
    try:
        return _REQUEST.decode(text).body
    except ValueError:
        return _Body()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
