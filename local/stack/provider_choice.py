"""Who gets the batches of the local stack: the emulator, the user's own provider, or several of these."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from batch_client import BatchClient, Dialect, InvalidArgumentError, RetryPolicy, speak
from local.errors import ProviderUnclearError

URL = "PROVIDER_BASE_URL"
KEY = "PROVIDER_API_KEY"
_SECONDS = 10.0


class Own(Protocol):
    """The user's own provider, or several."""

    @property
    def url(self) -> str:
        """Return where it is, for people."""
        ...

    @property
    def each(self) -> tuple["Provider", ...]:
        """Return each provider."""
        ...

    @property
    def values(self) -> dict[str, str]:
        """Return the template parameters, and the secret, that name it."""
        ...

    def named(self, name: str) -> "Provider | None":
        """Return the provider that a record names; None if there is none of the name."""
        ...


@dataclass(frozen=True)
class Provider:
    """A provider that batches are sent to."""

    #: Its base URL.
    url: str
    #: The key for it, which is never shown.
    api_key: str = field(repr=False)
    #: The name of its profile; if empty, the host of the URL chooses the profile.
    profile: str = ""
    #: What it is called among several; empty for the only one.
    name: str = ""
    #: More headers of every call.
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def each(self) -> tuple["Provider", ...]:
        """Return the provider itself."""
        return (self,)

    @property
    def values(self) -> dict[str, str]:
        """Return the template parameters that name the provider."""
        return {"ProviderBaseUrl": self.url, "ProviderApiKey": self.api_key}

    def named(self, name: str) -> "Provider | None":  # noqa: ARG002 - the only one is whoever a record names
        """Return the provider itself."""
        return self

    def client(self, seconds: float = _SECONDS) -> BatchClient:
        """Return a client of the provider, whose calls end within `seconds` and are made once."""
        once = RetryPolicy(max_retries=0)
        return BatchClient(
            self.api_key, self.url, timeout=seconds, profile=self.profile or None, headers=self.headers, retry=once
        )


@dataclass(frozen=True)
class Several:
    """Several providers of the user's own."""

    #: The parameter Providers, without keys.
    described: str
    each: tuple[Provider, ...]

    @property
    def url(self) -> str:
        """Name them for people."""
        return ", ".join(f"{provider.name} ({provider.url})" for provider in self.each)

    @property
    def values(self) -> dict[str, str]:
        """Return the template parameter that describes them, and the secret with their keys."""
        keys = {provider.name: provider.api_key for provider in self.each}
        return {"Providers": self.described, "ProviderApiKey": json.dumps(keys)}

    def named(self, name: str) -> Provider | None:
        """Return the provider of this name; a record without a name means the first one."""
        return next((provider for provider in self.each if name in {"", provider.name}), None)


def titled(own: Own, provider: str, what: str) -> str:
    """Name what a provider holds for people, with the provider where there are several."""
    known = own.named(provider)
    name = provider if known is None else known.name
    return f"{what} at {name}" if name else what


@contextmanager
def asking(own: Own, name: str, seconds: float = _SECONDS) -> Iterator[Dialect]:
    """Have the one provider that a record names asked; calls end within `seconds` and are made once.

    Raises InvalidArgumentError if there is no such provider any more.
    """
    provider = own.named(name)
    if provider is None:
        raise InvalidArgumentError(f"No provider is called {name!r}")
    with provider.client(seconds) as client:
        yield speak(client, "")  # no job is looked for by its key


def named_provider(host: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the address and the key of the provider that `host` names; None if neither is set.

    Raises:
        ProviderUnclearError: only one of the two is set.

    """
    url, key = (host.get(name) or host.get(f"BATCHYARD_{name}", "") for name in (URL, KEY))
    if url and key:
        return url, key
    if not url and not key:
        return None
    present, missing = (URL, KEY) if url else (KEY, URL)
    raise ProviderUnclearError(
        f"{present} is set but {missing} is not. Set both to use your provider, or neither to use the emulator."
    )
