"""Lines of an output file that are all plain successes, as nearly all are: read at once."""

from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from batchyard.batch import Usage
from batchyard.outcomes import MOST_TOKENS

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]


class _Details(msgspec.Struct, gc=False):
    cached_tokens: Count = 0
    reasoning_tokens: Count = 0


class _Used(msgspec.Struct, gc=False):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    total_tokens: Count = 0
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Body(msgspec.Struct, gc=False):
    usage: _Used | None = None


class _Response(msgspec.Struct, gc=False):
    status_code: Literal[200]
    body: _Body


class _Success(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response
    error: None = None


_SUCCESS: Final = msgspec.json.Decoder(_Success)
_NO_DETAILS: Final = _Details()


class Successes(NamedTuple):
    """What such lines hold: the custom_id of each, and the tokens of all of them."""

    custom_ids: list[str]
    usage: Usage


def successes(lines: list[bytes]) -> Successes | None:
    """Read plain successes; None if any line is another thing or needs a look of its own.

    Lines for which this answers say the same when they are read alone, as in `outcomes`; that members nobody reads are
    UTF-8 is not checked, for it makes no difference to any outcome.
    """
    try:
        found = list(map(_SUCCESS.decode, lines))
    except (ValueError, RecursionError):
        return None
    return Successes([line.custom_id for line in found], _usage(found))


def _usage(found: list[_Success]) -> Usage:
    used = [line.response.body.usage for line in found if line.response.body.usage is not None]
    inputs = [each.prompt_tokens or each.input_tokens for each in used]
    outputs = [each.completion_tokens or each.output_tokens for each in used]
    cached = sum(
        (each.prompt_tokens_details or each.input_tokens_details or _NO_DETAILS).cached_tokens for each in used
    )
    reasoning = sum(
        (each.completion_tokens_details or each.output_tokens_details or _NO_DETAILS).reasoning_tokens for each in used
    )
    total = sum(each.total_tokens or inputs[at] + outputs[at] for at, each in enumerate(used))
    return Usage(sum(inputs), cached, sum(outputs), reasoning, total)
