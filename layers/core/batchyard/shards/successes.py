"""Lines of an output file that are all plain successes, as nearly all are: read at once."""

from typing import Final, Literal, NamedTuple

import msgspec

from batchyard.domain.batch import Usage
from batchyard.domain.outcomes import BodyUsage, usage_in


class _Body(msgspec.Struct, gc=False):
    usage: BodyUsage | None = None


class _Response(msgspec.Struct, gc=False):
    status_code: Literal[200]
    body: _Body


class _Success(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response
    error: None = None


_SUCCESS: Final = msgspec.json.Decoder(_Success)


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
    used = [line.response.body.usage for line in found if line.response.body.usage is not None]
    return Successes([line.custom_id for line in found], usage_in(used))
