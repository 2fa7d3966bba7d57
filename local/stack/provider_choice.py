"""Who gets the batches of the local stack: the emulator, the user's own provider, or several of these."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

import requests

from batch_client import BatchClient, Dialect, InvalidArgumentError, RequestSigner, RetryPolicy, choose_profile, speak
from local.errors import ProviderError, ProviderUnclearError

URL = "PROVIDER_BASE_URL"
KEY = "PROVIDER_API_KEY"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
NO_KEY: Final = "none"  # of a provider that takes none
_PROFILE = "BATCHYARD_PROVIDER_PROFILE"
_SECONDS = 10.0
_OUR_AWS = "/_emulator/aws"


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
    #: What signs its requests, if they are signed in place of a key.
    signer: RequestSigner | None = field(default=None, repr=False)
    #: What they are signed by, for people.
    signed_by: str = ""

    @property
    def each(self) -> tuple["Provider", ...]:
        """Return the provider itself."""
        return (self,)

    @property
    def reads_objects(self) -> bool:
        """Tell whether it reads inputs and writes results in the bucket by itself."""
        return choose_profile(self.profile or None, self.url).reads_objects

    @property
    def is_here(self) -> bool:
        """Tell whether it is on this machine, where only emulators and servers of one's own are."""
        return urlsplit(self.url).hostname in LOOPBACK

    @property
    def values(self) -> dict[str, str]:
        """Return the template parameters that name the provider, and the secret with its key."""
        profile = {"ProviderProfile": self.profile} if self.profile else {}
        role = {"Bedrock": "true"} if self.reads_objects else {}
        return {"ProviderBaseUrl": self.url, "ProviderApiKey": self.api_key, **profile, **role}

    def named(self, name: str) -> "Provider | None":  # noqa: ARG002 - the only one is whoever a record names
        """Return the provider itself."""
        return self

    def client(self, seconds: float = _SECONDS) -> BatchClient:
        """Return a client of the provider, whose calls end within `seconds` and are made once."""
        once = RetryPolicy(max_retries=0)
        key = self.signer or self.api_key
        return BatchClient(
            key, self.url, timeout=seconds, profile=self.profile or None, headers=self.headers, retry=once
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
        role = {"Bedrock": "true"} if any(provider.reads_objects for provider in self.each) else {}
        return {"Providers": self.described, "ProviderApiKey": json.dumps(keys), **role}

    def named(self, name: str) -> Provider | None:
        """Return the provider of this name; a record without a name means the first one."""
        return next((provider for provider in self.each if name in {"", provider.name}), None)


def tell_place(own: Own, endpoint_url: str) -> None:
    """Tell each provider that reads and writes objects by itself where those of the local stack are: an emulator takes it.

    Raises:
        ProviderError: it does not.

    """
    for provider in own.each:
        if provider.reads_objects:
            place = urlsplit(provider.url)
            try:
                told = requests.post(
                    f"{place.scheme}://{place.netloc}{_OUR_AWS}", json={"endpoint_url": endpoint_url}, timeout=_SECONDS
                )
                told.raise_for_status()
            except requests.RequestException as error:
                raise ProviderError(cannot_reach_objects(provider)) from error


def cannot_reach_objects(provider: Provider) -> str:
    """Say why a provider that reads and writes objects by itself cannot serve the local stack."""
    return (
        f"{provider.name or 'The provider'} at {provider.url} reads its inputs from S3 by itself, and the S3 of the local "
        "stack is on this machine alone. Deploy the stack to AWS (docs/bedrock.md), or try the emulator (docs/emulator.md)."
    )


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

    The key is empty where none is set, and none is needed: the requests are signed.

    Raises:
        ProviderUnclearError: only one of the two is set.

    """
    url, key = (host.get(name) or host.get(f"BATCHYARD_{name}", "") for name in (URL, KEY))
    if url and (key or _signs(url, host.get(_PROFILE, ""))):
        return url, key
    if not url and not key:
        return None
    present, missing = (URL, KEY) if url else (KEY, URL)
    raise ProviderUnclearError(
        f"{present} is set but {missing} is not. Set both to use your provider, or neither to use the emulator."
    )


def _signs(url: str, profile: str) -> bool:
    """Tell whether the requests to a provider are signed in place of a key."""
    try:
        return choose_profile(profile or None, url).signing is not None
    except InvalidArgumentError:
        return False  # told with the other settings
