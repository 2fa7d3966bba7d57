"""JSON as it is read and written here.

How deep JSON may nest, whoever sends it, is a bound of our own, so that every Python reads and refuses the same: an
interpreter has a bound of its own, which differs by version. And no text of ours has NaN or Infinity, which are no JSON.
"""

import json
import math
from itertools import accumulate, repeat
from typing import Any, Final

import msgspec

from batch_client import shallow

MOST_LEVELS: Final = 512  # arrays and objects within each other, the outermost one counted
LONGEST_SAFE: Final = 2 * MOST_LEVELS + 1  # bytes: a text with more levels has more brackets than that
# More than half of the levels of a text that is too deep are arrays, or more than half are objects. Each object has a name
# (two quotes and a colon at least) before the next level begins. So some such bracket stands at this place or behind it.
LATE: Final = (b"[", MOST_LEVELS // 2), (b"{", 4 * (MOST_LEVELS // 2))
STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
NO_MARKS: Final = bytes(set(range(256)) - {*STEPS, ord('"')})


class TooDeep(ValueError):  # noqa: N818 - names what was seen, as the errors of this room do
    """A JSON text nests deeper than MOST_LEVELS."""

    def __init__(self) -> None:
        """Say so, as the end of a sentence."""
        super().__init__(f"it is nested too deeply, more than {MOST_LEVELS} levels")


def decode(text: bytes | str, kind: Any = Any) -> Any:  # noqa: ANN401 - any JSON
    """Decode JSON as a value of this kind; raises TooDeep, and ValueError for a text that is no JSON or another kind."""
    data = text.encode() if isinstance(text, str) else text
    check(data)
    return msgspec.json.decode(data, type=kind)


def encode(value: object, separators: tuple[str, str] | None = None) -> str:
    """Write JSON in ASCII; a number that JSON does not have, such as Infinity, becomes null."""
    try:
        return json.dumps(value, allow_nan=False, separators=separators)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, separators=separators)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check(text: bytes) -> None:
    """Raise TooDeep for a JSON text that nests too deeply."""
    if is_too_deep(text):
        raise TooDeep


def is_too_deep(text: bytes) -> bool:
    """Tell whether a JSON text nests too deeply; a text that breaks off is judged by its beginning."""
    return len(text) > MOST_LEVELS and _has_many_brackets(text) and _levels(text) > MOST_LEVELS


def is_any_too_deep(texts: list[bytes]) -> bool:
    """Tell whether any of these whole JSON texts nests too deeply; of most, their length or their last bracket tells."""
    if max(map(len, texts), default=0) <= LONGEST_SAFE or not _open_late(texts):
        return False
    return any(map(is_too_deep, texts))


def with_few_levels(text: bytes) -> bytes:
    """Return the JSON text with null for whatever lies deeper than MOST_LEVELS, so that the rest can be read."""
    return shallow(text, MOST_LEVELS) if _has_many_brackets(text) else text


def _open_late(texts: list[bytes]) -> bool:
    """Tell whether some text has a bracket as late as one that is too deep has."""
    return any(max(map(bytes.find, texts, repeat(bracket), repeat(place))) >= 0 for bracket, place in LATE)


def _has_many_brackets(text: bytes) -> bool:
    """Tell whether more than MOST_LEVELS are opened, in strings or not; to replace is the fastest way to count."""
    arrays = len(text) - len(text.replace(b"[", b"", MOST_LEVELS + 1))
    objects = len(text) - len(text.replace(b"{", b"", MOST_LEVELS + 1))
    return arrays + objects > MOST_LEVELS


def _levels(text: bytes) -> int:
    """Count the levels of a text; brackets in strings are none."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = text.translate(None, NO_MARKS).replace(b'""', b"")
    brackets = b"".join(marks.split(b'"')[::2])
    return max(accumulate(map(STEPS.__getitem__, brackets)), default=0)
