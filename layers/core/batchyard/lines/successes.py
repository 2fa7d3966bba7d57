"""Lines of the provider's files that are plain successes, read many at a time."""

import re
from itertools import filterfalse
from typing import Final, Literal, NamedTuple

import msgspec

from batch_client import decode_mended
from batchyard.costs.answer_usage import UNTOLD, BodyUsage, usage_in
from batchyard.costs.usage import Usage
from batchyard.domain.nesting import with_few_levels

EMPTY_BODY: Final = re.compile(rb'"body"\s*:\s*(?:null|""|\{\s*\}|\[\s*\])')


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
    """What lines of plain successes hold: the custom_id of each, and the tokens of all of them."""

    custom_ids: list[str]
    usage: Usage
    #: The places of the lines whose body is empty.
    empty: list[int]
    #: How many of the lines tell no tokens.
    unmetered: int


def successes(lines: list[bytes]) -> Successes | None:
    """Read plain successes; None if any line is another thing or needs a look of its own, as a line that is to be mended.

    Each line gives the same outcome when `outcomes` reads it alone.
    """
    try:
        found = list(map(_SUCCESS.decode, lines))
        for line in filterfalse(bytes.isascii, lines):
            line.decode()  # the decoder does not look inside the members it skips
    except (ValueError, RecursionError):  # nothing bounds how deep an answer nests
        return None
    usages = [line.response.body.usage for line in found]
    used = [usage for usage in usages if usage is not None]
    bare = [at for at, usage in enumerate(usages) if usage is None] if len(used) < len(found) else []
    if bare and not EMPTY_BODY.search(b"".join(map(lines.__getitem__, bare))):
        bare = []
    empty = [at for at in bare if is_empty(lines[at])]
    return Successes(
        [line.custom_id for line in found], usage_in(used), empty, len(found) - len(used) + used.count(UNTOLD)
    )


def is_empty(text: bytes) -> bool:
    """Tell whether an answer with success, which says no usage, has no body or an empty one."""
    if b'"body"' in text and not EMPTY_BODY.search(text):
        return False
    line = decode_mended(with_few_levels(text))
    response = line.get("response") if isinstance(line, dict) else None
    return not (response.get("body") if isinstance(response, dict) else None)
