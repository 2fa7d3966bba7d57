"""Where the service is, and with which key: options, then the environment, then what `batchyard login` kept."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from .errors import UsageFault
from .home import Home

LOCAL: Final = ("127.0.0.1", "localhost", "::1")
OPENAI_HOST: Final = "api.openai.com"
HOW_TO_SAY: Final = (
    "Run `batchyard login --url … --key …`, or set BATCHYARD_URL and BATCHYARD_KEY."
    " `make up` prints both for a local stack."
)


class Place(msgspec.Struct, frozen=True):
    """A service and the key for it."""

    base_url: str
    key: str

    @property
    def host(self) -> str:
        """Return the host, with its port."""
        return urlsplit(self.base_url).netloc

    @property
    def local(self) -> bool:
        """Tell whether the service is on this machine."""
        return is_local(self.base_url)

    def __repr__(self) -> str:
        return f"Place({self.base_url!r})"  # the key is never shown


class Logins(msgspec.Struct):
    """The file that `login` writes: each key belongs to one address, and is sent to no other."""

    url: str = ""
    keys: dict[str, str] = {}  # msgspec copies an empty default for each object


def own_home() -> Home:
    """Return the folder of ours in the user's home, or the one that BATCHYARD_HOME names."""
    named = os.environ.get("BATCHYARD_HOME")
    return Home(Path(named) if named else Path.home() / ".batchyard")


def find_place(home: Home, url: str | None = None, key: str | None = None) -> Place:
    """Return the service to use; raises UsageFault where its address or key is not known."""
    logins = _read(home)
    base_url = checked_url(url or os.environ.get("BATCHYARD_URL") or logins.url)
    given = key or os.environ.get("BATCHYARD_KEY") or logins.keys.get(base_url)
    if not given and urlsplit(base_url).hostname == OPENAI_HOST:
        given = os.environ.get("OPENAI_API_KEY")
    if not given:
        raise UsageFault(f"There is no key for {base_url}. {HOW_TO_SAY}")
    return Place(base_url, given)


def checked_url(url: str) -> str:
    """Return an address in one spelling; raises UsageFault for one to which no key may be sent."""
    if not url:
        raise UsageFault(f"Where is the service? {HOW_TO_SAY}")
    try:
        parts = urlsplit(url.strip().rstrip("/"))
    except ValueError as error:
        raise UsageFault(f"The address {url!r} is no URL.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise UsageFault(f"The address must be https://host/v1, not {url!r}.")
    if parts.scheme == "http" and not is_local(url):
        raise UsageFault("The address must begin with https://, or the key would travel in the clear.")
    return parts._replace(path=parts.path or "/v1").geturl()


def is_local(url: str) -> bool:
    """Tell whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    return host in LOCAL or host.endswith(".localhost")


def keep_login(home: Home, place: Place) -> Path:
    """Keep address and key in a file that the user alone can read, and return its path."""
    logins = _read(home)
    kept = Logins(place.base_url, {**logins.keys, place.base_url: place.key})
    return home.write("login.json", msgspec.json.format(msgspec.json.encode(kept)))


def _read(home: Home) -> Logins:
    data = home.read("login.json")
    try:
        return Logins() if data is None else msgspec.json.decode(data, type=Logins)
    except msgspec.DecodeError as error:
        raise UsageFault(f"{home.path('login.json')} cannot be read. Run `batchyard login` again.") from error
