"""Which provider the local stack sends its batches to: the emulator, or the user's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from batch_client import BatchClient, RetryPolicy
from local.errors import ProviderUnclearError

URL = "PROVIDER_BASE_URL"
KEY = "PROVIDER_API_KEY"
_SECONDS = 10.0


@dataclass(frozen=True)
class Provider:
    """Where the batches go, the key that opens it, and the name of its profile ("": by its host)."""

    url: str
    api_key: str = field(repr=False)
    profile: str = ""

    @property
    def values(self) -> dict[str, str]:
        """Return the template parameters that name it."""
        return {"ProviderBaseUrl": self.url, "ProviderApiKey": self.api_key}

    def client(self, seconds: float = _SECONDS) -> BatchClient:
        """Return a client of it that answers or fails within `seconds`."""
        once = RetryPolicy(max_retries=0)
        return BatchClient(self.api_key, self.url, timeout=seconds, profile=self.profile or None, retry=once)


def named_provider(host: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the address and the key of the provider that `host` names, or None when neither is set.

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
