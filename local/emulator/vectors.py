"""Make embeddings and moderation scores, which are hashes of the request."""

import array
import base64
import hashlib
import math
from typing import Any

from local.emulator.prompts import inputs

_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def embeddings(given: object, size: int, *, encoded: bool) -> list[dict[str, Any]]:
    """Return one embedding of unit length for each input; `encoded` gives base64 of little-endian 32-bit floats."""
    return [
        {"object": "embedding", "index": index, "embedding": _encode(vector) if encoded else vector}
        for index, vector in enumerate(_unit_vector(item, size) for item in inputs(given))
    ]


def moderations(given: object) -> list[dict[str, Any]]:
    """Return one moderation result for each input; none is ever flagged."""
    return [_moderation(item) for item in inputs(given)]


def _unit_vector(item: object, size: int) -> list[float]:
    numbers = array.array("h", _digest(item, 2 * size))
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [round(number / length, 8) for number in numbers]


def _encode(vector: list[float]) -> str:
    return base64.b64encode(array.array("f", vector).tobytes()).decode()


def _moderation(item: object) -> dict[str, Any]:
    scores = [round(byte / 100_000, 6) for byte in _digest(item, len(_CATEGORIES))]
    return {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict(zip(_CATEGORIES, scores, strict=True)),
        "category_applied_input_types": {category: ["text"] for category in _CATEGORIES},
    }


def _digest(item: object, size: int) -> bytes:
    return hashlib.shake_128(repr(item).encode()).digest(size)
