"""How many tokens of output the lines allow: what an estimate needs beside the size of the lines."""

from typing import Any, Final

import msgspec

from batchyard.costs.answer_usage import MOST_TOKENS
from batchyard.lines import model_urls
from batchyard.lines.line import EMBEDDINGS, MODERATIONS, Line

ASSUMED_OUTPUT: Final = 1_000  # tokens of an answer without a limit
SILENT: Final = frozenset({EMBEDDINGS, MODERATIONS})  # endpoints whose answers have no tokens
EMBED: Final = "embed"  # is in the names of models on Bedrock whose answers have no tokens


class OutputLimits(msgspec.Struct):
    """How much output the lines of one target allow."""

    endpoint: str
    model: str
    lines: int = 0
    #: The sum of the limits that lines set.
    tokens: int = 0
    #: Answers without a limit.
    unlimited: int = 0


class _Inference(msgspec.Struct, gc=False):
    """Limits as Converse, Nova and Titan name them."""

    maxTokens: Any = None  # noqa: N815 - as it stands in a body
    max_new_tokens: Any = None
    maxTokenCount: Any = None  # noqa: N815


class _NativeBody(msgspec.Struct, gc=False):
    """The limits of a body in the words of its model."""

    inferenceConfig: _Inference | None = None  # noqa: N815
    textGenerationConfig: _Inference | None = None  # noqa: N815
    #: Of Llama.
    max_gen_len: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None

    @property
    def limits(self) -> list[Any]:
        """List all that may be a limit."""
        configs = filter(None, (self.inferenceConfig, self.textGenerationConfig))
        told = [each for config in configs for each in msgspec.structs.astuple(config)]
        return [*told, self.max_gen_len, self.max_completion_tokens, self.max_tokens]


class _NativeRequest(msgspec.Struct, gc=False):
    body: _NativeBody


class _Body(msgspec.Struct, gc=False):
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n: Any = None

    @property
    def limits(self) -> list[Any]:
        """List all that may be a limit."""
        return [self.max_completion_tokens, self.max_output_tokens, self.max_tokens]


class _Request(msgspec.Struct, gc=False):
    body: _Body


_REQUEST = msgspec.json.Decoder(_Request)
_NATIVE = msgspec.json.Decoder(_NativeRequest)


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
        native = model_urls.operation_of(line.url) is not None
        if line.url in SILENT or (native and EMBED in line.body.model):
            return
        body = _native_body(text) if native else _body(text)
        limit = next((each for each in body.limits if _is_count(each)), None)
        answers = body.n if isinstance(body, _Body) and _is_count(body.n) else 1
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


def _native_body(text: bytes) -> _NativeBody:
    try:
        return _NATIVE.decode(text).body
    except ValueError:  # as above, or a model has other members of these names
        return _NativeBody()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
