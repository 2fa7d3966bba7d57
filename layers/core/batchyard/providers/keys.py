"""The keys of several providers, as one secret holds them: a JSON object with the key of each, by its name."""

import re
from typing import Any

from batchyard.domain import nesting

PLAIN = r"[!-~]+"
#: What signs in place of the role of a function: `ID:SECRET`, or `ID:SECRET:TOKEN` of a session.
ACCESS_KEY = r"A[KS]IA[A-Z0-9]{8,124}:[!-9;-~]{8,200}(:[!-9;-~]{8,4000})?"


def read_keys(text: str) -> dict[str, str]:
    """Read the secret; raises ValueError, which quotes nothing of the secret."""
    try:
        keys: Any = nesting.decode(text)
    except ValueError as error:
        raise ValueError("it is no JSON object of keys by the names of providers") from error
    if not isinstance(keys, dict) or not all(
        isinstance(key, str) and re.fullmatch(PLAIN, key) for key in keys.values()
    ):
        raise ValueError("it is no JSON object of keys by the names of providers; a key is plain text without spaces")
    return keys
