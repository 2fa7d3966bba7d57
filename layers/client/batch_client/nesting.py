"""Read JSON that nests deeper than an interpreter can: each has a bound of its own, and none is promised."""

import re

import msgspec

from .mending import decode_mended

LEVELS_READ = 100  # nothing that is read lies as deep

_MARKS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[][{}]', re.DOTALL)  # strings, as they may hold brackets


def decode(text: bytes) -> object:
    """Decode JSON that may need mending; null stands for what nests too deeply, and for numbers without end.

    Raises ValueError for what is no JSON.
    """
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return decode_mended(shallow(text, LEVELS_READ))


def shallow(text: bytes, levels: int) -> bytes:
    """Return a JSON text with null in place of each value that lies within more than `levels` arrays and objects."""
    pieces: list[bytes] = []
    depth = kept = 0
    for mark in _MARKS.finditer(text):
        kind = text[mark.start()]
        if kind in b"[{":
            depth += 1
            if depth == levels + 1:
                pieces += text[kept : mark.start()], b"null"
                kept = len(text)
        elif kind in b"]}":
            if depth == levels + 1:
                kept = mark.end()
            depth -= 1
    return b"".join([*pieces, text[kept:]])
