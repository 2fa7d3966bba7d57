"""The vectors of an embeddings answer."""

import base64
import math
from array import array
from collections.abc import Mapping
from typing import Any, Final

import msgspec

MENTIONED: Final = b"dimensions"  # a request without this word asks for no dimension


class _Body(msgspec.Struct, gc=False):
    dimensions: int | None = None


class _Request(msgspec.Struct, gc=False):
    body: _Body


_REQUEST: Final = msgspec.json.Decoder(_Request)


def dimension_of(request: bytes) -> int:
    """Return the dimension that a request asks for; 0 if it asks for none."""
    if MENTIONED not in request:
        return 0
    try:
        return _REQUEST.decode(request).body.dimensions or 0
    except ValueError:  # what the provider made of it is in its answer
        return 0


def why_not(body: Mapping[str, Any], dimension: int = 0) -> str | None:
    """Say why the vectors cannot be used, if so: one is missing, holds what is no number, or has not this dimension."""
    items = body.get("data")
    if not isinstance(items, list) or not items:
        return "the answer has no embedding"
    sizes = set()
    for place, item in enumerate(items):
        vector = item.get("embedding") if isinstance(item, dict) else None
        numbers = _unpacked(vector) if isinstance(vector, str) else vector
        if not isinstance(numbers, list) or not numbers:
            return f"embedding {place} is empty"
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            return f"embedding {place} holds a value that is no number"
        sizes.add(len(numbers))
    if len(sizes) > 1:
        return "the embeddings have different dimensions"
    return (
        f"the embeddings have the dimension {sizes.pop()}, not {dimension}"
        if dimension and sizes != {dimension}
        else None
    )


def _unpacked(vector: str) -> list[float] | None:
    """Read a vector in base64, which holds floats of four bytes; None for another text."""
    try:
        return array("f", base64.b64decode(vector, validate=True)).tolist()
    except ValueError:
        return None
