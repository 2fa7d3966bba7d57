"""The vectors of an embeddings answer."""

import base64
import math
from array import array
from collections.abc import Mapping
from typing import Any


def why_not(body: Mapping[str, Any]) -> str | None:
    """Say why the vectors cannot be used, if so: there is none, one is empty, or one holds what is no number."""
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
    return None if len(sizes) == 1 else "the embeddings have different dimensions"


def _unpacked(vector: str) -> list[float] | None:
    """Read a vector in base64, which holds floats of four bytes; None for another text."""
    try:
        return array("f", base64.b64decode(vector, validate=True)).tolist()
    except ValueError:
        return None
