"""The API key, which is never printed."""

from collections.abc import Callable, MutableMapping

from .errors import InvalidArgumentError

_MARK = "[key]"
_LEAST_SECRET = 12  # characters; a service without keys takes "EMPTY" or "test", which answers hold, too
_SHOWN = {"x-request-id", "content-type"}
_LONGEST_SHOWN = 200


class Credentials:
    """Hold a key, or a function that is asked for the key before each request, so that keys can rotate."""

    def __init__(self, key: str | Callable[[], str]) -> None:
        self._ask = key if callable(key) else lambda: key

    def __repr__(self) -> str:
        return "Credentials(…)"

    def current(self) -> str:
        """Return the key for the next request, without white space around it.

        Raises InvalidArgumentError, which does not quote the key, for a key that cannot be sent in a header.
        """
        key = self._ask()
        key = key.strip() if isinstance(key, str) else ""
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise InvalidArgumentError("The API key is empty, or is not plain text that fits in a header")
        return key


def without_key(body: bytes, key: str) -> bytes:
    """Return the answer without the key, which some services quote."""
    return body.replace(key.encode(), _MARK.encode()) if key else body


def without_long_key(body: bytes, key: str) -> bytes:
    """Return an answer that is no refusal without the key, unless the key is a word that may stand there anyway."""
    return without_key(body, key) if len(key) >= _LEAST_SECRET else body


def hide_key(headers: MutableMapping[str, str], key: str) -> None:
    """Take the key out of the headers that errors and answers show, and shorten these headers."""
    for name in _SHOWN & {each.lower() for each in headers}:
        headers[name] = headers[name].replace(key, _MARK)[:_LONGEST_SHOWN]
