"""The client of one service, with every call."""

import random as randomness
import time
from collections.abc import Callable, Mapping
from copy import copy
from types import TracebackType
from typing import Self

import requests

from .address import Address, rooted
from .batches import Batches
from .credentials import Credentials, RequestSigner
from .direct import Direct
from .errors import InvalidArgumentError
from .files import Files
from .keep_alive import KeptAlive
from .others import Others
from .profiles import Profile, choose_profile, ordinary_url
from .retry import Clock, Retrier, RetryPolicy
from .transport import Transport

USER_AGENT = "batch-client/0.1.0"


class BatchClient(Batches, Files, Direct, Others):
    """Call the Batch and Files API of OpenAI, or of a service like it.

    Every call raises only BatchClientError, and what `api_key` raises.
    """

    def __init__(
        self,
        api_key: str | Callable[[], str] | RequestSigner,
        base_url: str = "https://api.openai.com/v1",
        organization: str | None = None,
        project: str | None = None,
        timeout: float | tuple[float, float] = (5.0, 60.0),
        session: requests.Session | None = None,
        profile: str | Profile | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        retry: RetryPolicy | None = None,
        clock: Clock = time,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        """Make a client; no request is sent.

        `api_key` is a key, a function that is asked before each request, or a RequestSigner. `headers` go with every call, as a
        query of `base_url` does. `timeout` is (connect, read) in seconds, or one number for both. Without `profile` the
        host chooses the profile. `retry`, `clock`, `random` (0 … 1) rule retries.
        """
        chosen = choose_profile(profile, base_url)
        rooted_url = rooted(base_url, chosen.root, versioned=chosen.dialect != "bedrock")
        self._session = session or _kept_alive()
        self._owns_session = session is None
        named = {"OpenAI-Organization": organization, "OpenAI-Project": project, **(headers or {})}
        credentials = _credentials(chosen, api_key)
        _check_headers(chosen, named)
        self._transport = Transport(
            session=self._session,
            address=Address(rooted_url, chosen.query, ordinary_url(chosen, base_url)),
            profile=chosen,
            credentials=credentials,
            headers={
                "User-Agent": USER_AGENT, **chosen.headers, **{name: value for name, value in named.items() if value}
            },
            timeout=timeout if isinstance(timeout, tuple) else (timeout, timeout),
            retrier=Retrier(retry or RetryPolicy(), clock, random),
        )  # fmt: skip

    @property
    def transport(self) -> Transport:
        """Show how this client sends its calls, to the dialects of this package."""
        return self._transport

    def over(self, transport: Transport) -> Self:
        """Return a client like this one that sends by another transport, for the dialects of this package."""
        other = copy(self)
        other._transport, other._owns_session = transport, False  # noqa: SLF001 - of the same class
        return other

    @property
    def profile(self) -> Profile:
        """Tell what is known of the service."""
        return self._transport.profile

    def __repr__(self) -> str:
        return f"BatchClient(base_url={self._transport.address.base_url!r}, profile={self._transport.profile.name!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, unless the session was passed in."""
        if self._owns_session:
            self._session.close()


def _kept_alive() -> requests.Session:
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, KeptAlive())
    return session


def _check_headers(profile: Profile, named: Mapping[str, str | None]) -> None:
    given = {name.lower() for name, value in named.items() if value}
    if missing := [name for name in profile.required_headers if name not in given]:
        raise InvalidArgumentError(
            f"The profile {profile.name} needs the header {missing[0]}, which `headers` must name"
        )


def _credentials(profile: Profile, given: str | Callable[[], str] | RequestSigner) -> Credentials:
    credentials = Credentials(given)
    if (profile.signing is None) is not (credentials.signer is None):
        needed = "an API key" if profile.signing is None else "a RequestSigner in place of an API key"
        raise InvalidArgumentError(f"The profile {profile.name} needs {needed}")
    return credentials
