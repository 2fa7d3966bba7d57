"""The provider that gets the batches of the local stack: the emulator, or the user's own provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from batch_client import BatchClient, RetryPolicy
from local.errors import ProviderUnclearError

URL = "PROVIDER_BASE_URL"
KEY = "PROVIDER_API_KEY"
_SECONDS = 10.0


@dataclass(frozen=True)
class Provider:
    """A provider that batches are sent to."""

    #: Its base URL.
    url: str
    #: The key for it, which is never shown.
    api_key: str = field(repr=False)
    #: The name of its profile; if empty, the host of the URL chooses the profile.
    profile: str = ""

    @property
    def values(self) -> dict[str, str]:
        """Return the template parameters that name the provider."""
        return {"ProviderBaseUrl": self.url, "ProviderApiKey": self.api_key}

    def client(self, seconds: float = _SECONDS) -> BatchClient:
        """Return a client of the provider, whose calls end within `seconds` and are made once."""
        once = RetryPolicy(max_retries=0)
        return BatchClient(self.api_key, self.url, timeout=seconds, profile=self.profile or None, retry=once)


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
