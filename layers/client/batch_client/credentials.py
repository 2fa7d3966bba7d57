"""The API key, which is never printed, or what signs a request in its place."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Protocol, runtime_checkable

from .errors import InvalidArgumentError

_MARK = "[key]"
_LEAST_SECRET = 12  # characters; a service without keys takes "EMPTY" or "test", which answers hold, too
_SHOWN = {"x-request-id", "request-id", "x-amzn-requestid", "content-type"}
_LONGEST_SHOWN = 200


@runtime_checkable
class RequestSigner(Protocol):
    """Sign requests, where a service takes the identity of a role in place of a key."""

    def sign(
        self, service: str, method: str, url: str, headers: Mapping[str, str], body_sha256: str
    ) -> Mapping[str, str]:
        """Return the headers to add to a request, whose body has this SHA-256 in hex."""
        ...


class Credentials:
    """Hold a key, a function that is asked for the key before each request, so that keys can rotate, or a signer."""

    def __init__(self, key: str | Callable[[], str] | RequestSigner) -> None:
        self.signer = key if isinstance(key, RequestSigner) else None
        self._ask: Callable[[], str] = key if callable(key) else lambda: key if isinstance(key, str) else ""

    def __repr__(self) -> str:
        return "Credentials(…)"

    def current(self) -> str:
        """Return the key for the next request, without white space around it; empty where requests are signed.

        Raises InvalidArgumentError, which does not quote the key, for a key that cannot be sent in a header.
        """
        if self.signer:
            return ""
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
        shown = headers[name].replace(key, _MARK) if key else headers[name]
        headers[name] = shown[:_LONGEST_SHOWN]
