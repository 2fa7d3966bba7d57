"""How many tokens of output lines allow: what an estimate needs of them beside their size."""

from typing import Any, Final

import msgspec

from batchyard.domain.outcomes import MOST_TOKENS
from batchyard.lines.line import EMBEDDINGS, Line

ASSUMED_OUTPUT: Final = 1_000  # tokens, of a line that sets itself no limit
SILENT: Final = frozenset({EMBEDDINGS, "/v1/moderations"})  # endpoints whose answers are no tokens


class Outputs(msgspec.Struct):
    """What the lines of one endpoint and model allow: the sum of their limits, and how many answers have none."""

    endpoint: str
    model: str
    lines: int = 0
    tokens: int = 0
    unlimited: int = 0


class Load(msgspec.Struct):
    """What would be sent of one endpoint and model."""

    endpoint: str
    model: str
    lines: int = 0
    shards: int = 0
    bytes: int = 0


class _Body(msgspec.Struct, gc=False):
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n: Any = None


class _Request(msgspec.Struct, gc=False):
    body: _Body


_REQUEST = msgspec.json.Decoder(_Request)


class Meter:
    """Sum up what lines allow; `outputs` is kept up to date."""

    def __init__(self, outputs: list[Outputs]) -> None:
        """Go on from sums that were made before."""
        self._outputs = outputs
        self._by_kind = {(each.endpoint, each.model): each for each in outputs}

    def add(self, line: Line, text: bytes) -> None:
        """Count a well-formed line in."""
        kind = line.url, line.body.model
        outputs = self._by_kind.get(kind)
        if outputs is None:
            outputs = self._by_kind[kind] = Outputs(*kind)
            self._outputs.append(outputs)
        outputs.lines += 1
        if line.url in SILENT:
            return
        body = _body(text)
        limits = body.max_completion_tokens, body.max_output_tokens, body.max_tokens
        limit = next((each for each in limits if _is_count(each)), None)
        answers = body.n if _is_count(body.n) else 1
        if limit is None:
            outputs.unlimited += answers
        else:
            outputs.tokens = min(outputs.tokens + limit * answers, MOST_TOKENS)


def _body(text: bytes) -> _Body:
    """Read what a body allows; a number that is too large to read, which the line's own check passes over, is no limit."""
    try:
        return _REQUEST.decode(text).body
    except ValueError:
        return _Body()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
