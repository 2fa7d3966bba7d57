"""The address of a service: its base URL, its query, and the redirects that may be followed."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

from .errors import InvalidArgumentError, ProtocolError


class Address:
    """Build and check URLs of one service.

    Raises InvalidArgumentError for a base URL that is not http(s) with a host, or that contains a password.
    """

    def __init__(self, base_url: str, query: Mapping[str, str], ordinary_url: str = "") -> None:
        if not _is_usable(base_url):
            raise InvalidArgumentError("The base URL must be http(s)://host/path, without a password in it")
        parts = urlsplit(base_url)
        #: The host, with its port.
        self.host = parts.netloc
        #: The base URL, without its query.
        self.base_url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._ordinary_url = ordinary_url or self.base_url
        self._origins = {parts[:2], urlsplit(self._ordinary_url)[:2]}
        self._query = {**dict(parse_qsl(parts.query)), **query}

    def url(self, path: str, query: Mapping[str, str], *, ordinary: bool = False) -> str:
        """Build the URL of a call; that of an `ordinary` one is where the service answers single requests."""
        pairs = {**self._query, **query}.items()
        text = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in pairs)
        return f"{self._ordinary_url if ordinary else self.base_url}{path}" + (f"?{text}" if text else "")

    def is_home(self, url: str) -> bool:
        """Tell whether a URL has a scheme, host and port of the service; the key is sent to no other URL."""
        return urlsplit(url)[:2] in self._origins

    def redirected(self, url: str, location: str, *, may_leave: bool) -> str:
        """Return the URL to which a redirect of `url` leads.

        Raises ProtocolError if the URL cannot be used, leaves https, or leaves the service although it may not.
        """
        target = _joined(url, location)
        secure = target.startswith("https:") or url.startswith("http:")
        if not target or not secure or not (may_leave or self.is_home(target)):
            raise ProtocolError(f"{self.host} redirects where we do not follow")
        return target


def rooted(base_url: str, root: str, *, versioned: bool = True) -> str:
    """Return a base URL with the path at which an API begins, if it names no path itself; one without versions has no `/v1`."""
    parts = urlsplit(base_url)
    if not versioned and parts.path.rstrip("/") == "/v1":
        return parts._replace(path="").geturl()
    return base_url if not root or parts.path.strip("/") else parts._replace(path=root).geturl()


def _joined(url: str, location: str) -> str:
    try:
        target = urljoin(url, location) if location else ""
    except ValueError:
        return ""
    return target if _is_usable(target) else ""


def _is_usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port  # reading the port checks it
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and port != 0


def path_id(identifier: str) -> str:
    """Quote an id for a path.

    Raises InvalidArgumentError for an empty id, and for an id of dots, which would name another path.
    """
    if not identifier or not identifier.strip("."):
        raise InvalidArgumentError(f"{identifier!r} is no id")
    return quote(identifier, safe="")
