"""Who gets the batches of the local stack: the emulator, the user's own provider, or several of these."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, TypeVar

from batch_client import Batch, BatchClient, BatchClientError, FileDeleted, NotFoundError, RetryPolicy
from local.errors import ProviderUnclearError

URL = "PROVIDER_BASE_URL"
KEY = "PROVIDER_API_KEY"
_SECONDS = 10.0
T = TypeVar("T")


class Asked(Protocol):
    """What is asked of whoever has a provider batch or a file, while a stack ends."""

    def __enter__(self) -> Self:
        """Keep the connections until the end of the block."""
        ...

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        ...

    def retrieve_batch(self, batch_id: str) -> Batch:
        """Read a provider batch."""
        ...

    def cancel_batch(self, batch_id: str) -> Batch:
        """Cancel a provider batch."""
        ...

    def delete_file(self, file_id: str) -> FileDeleted:
        """Delete a file."""
        ...


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

    def client(self, seconds: float = _SECONDS) -> Asked:
        """Return a client whose calls end within `seconds` and are made once."""
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

    @property
    def each(self) -> tuple["Provider", ...]:
        """Return the provider itself."""
        return (self,)

    @property
    def values(self) -> dict[str, str]:
        """Return the template parameters that name the provider."""
        return {"ProviderBaseUrl": self.url, "ProviderApiKey": self.api_key}

    def client(self, seconds: float = _SECONDS) -> BatchClient:
        """Return a client of the provider, whose calls end within `seconds` and are made once."""
        once = RetryPolicy(max_retries=0)
        return BatchClient(self.api_key, self.url, timeout=seconds, profile=self.profile or None, retry=once)


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

    def client(self, seconds: float = _SECONDS) -> "_Everywhere":
        """Return a client that asks one after the other, for whoever knows an id and not whose the id is."""
        return _Everywhere([provider.client(seconds) for provider in self.each])


class _Everywhere:
    """A client of several providers: the one that knows the id answers."""

    def __init__(self, clients: list[BatchClient]) -> None:
        self._clients = clients

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()

    def retrieve_batch(self, batch_id: str) -> Batch:
        """Read a provider batch."""
        return self._first(lambda client: client.retrieve_batch(batch_id))

    def cancel_batch(self, batch_id: str) -> Batch:
        """Cancel a provider batch."""
        return self._first(lambda client: client.cancel_batch(batch_id))

    def delete_file(self, file_id: str) -> FileDeleted:
        """Delete a file."""
        return self._first(lambda client: client.delete_file(file_id))

    def _first(self, ask: Callable[[BatchClient], T]) -> T:
        """Return the first answer; if there is none, raise the first refusal that says more than that the id is unknown."""
        telling: BatchClientError = NotFoundError("No provider knows it")
        for client in self._clients:
            try:
                return ask(client)
            except BatchClientError as error:
                telling = telling if isinstance(error, NotFoundError) or type(telling) is not NotFoundError else error
        raise telling


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
