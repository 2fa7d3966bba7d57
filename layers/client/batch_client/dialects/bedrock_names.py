"""The key and the labels of a job in the few characters that Amazon Bedrock takes, there and back.

Its name has letters, digits, `+`, `-` and `.`, 63 at most; its token has letters, digits and hyphens, 256 at most. What else is
in a text goes as a hyphen and the two hex digits of a byte, so that no two texts have one name. Two hyphens part a token.
"""

import hashlib
import re
from collections.abc import Mapping
from itertools import chain
from typing import Final
from urllib.parse import unquote

_LONGEST_NAME, _LONGEST_TOKEN = 63, 256
_SHORT: Final = {"_": "+", "/": "."}  # in a name, for persons; a rule about events goes by the first of a name
_PARTS: Final = "--"
_ESCAPE: Final = r"-([0-9a-f]{2})"
_ENDPOINT: Final = r"/model/(.+)/(invoke|converse)"


def name_of(key: str) -> str:
    """Return the name of the job with this key; a hash stands for a key that is too long."""
    name = _escaped(key, _SHORT)
    return name if len(name) <= _LONGEST_NAME and name[:1].isalnum() else _hash(key)[:_LONGEST_NAME]


def token_of(key: str, labels: Mapping[str, str]) -> str:
    """Return the token of the job with this key; labels are left out, and a hash stands for the key, if they are too long."""
    alone = _escaped(key, {})
    whole = _PARTS.join([alone, *(_escaped(text, {}) for text in chain.from_iterable(sorted(labels.items())))])
    fitting = (
        text for text in (whole, alone) if len(text) <= _LONGEST_TOKEN and text[:1].isalnum() and text[-1].isalnum()
    )
    return next(fitting, _hash(key))


def read_token(token: str) -> tuple[str, dict[str, str]]:
    """Return the key and the labels that a token says; one that is not ours says some other key."""
    key, *rest = (_unescaped(part) for part in token.split(_PARTS))
    return key, dict(zip(rest[::2], rest[1::2], strict=True)) if len(rest) % 2 == 0 else {}


def model_and_type(endpoint: str) -> tuple[str, str] | None:
    """Return the model that an endpoint names, and `invoke` or `converse`; None for any other endpoint."""
    found = re.fullmatch(_ENDPOINT, endpoint)
    return (unquote(found[1]), found[2]) if found else None


def _escaped(text: str, short: Mapping[str, str]) -> str:
    return "".join(each if _is_plain(each) else short.get(each) or _hex(each) for each in text)


def _is_plain(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _hex(character: str) -> str:
    return "".join(f"-{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def _unescaped(text: str) -> str:
    pieces = re.split(_ESCAPE, text)  # each second one is the hex of a byte
    return b"".join(bytes.fromhex(each) if at % 2 else each.encode() for at, each in enumerate(pieces)).decode(
        "utf-8", "replace"
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
