"""Which provider the local stack sends its batches to: the emulator, or the user's own."""

from collections.abc import Mapping
from dataclasses import dataclass

from local.errors import ProviderUnclearError

URL = "PROVIDER_BASE_URL"
KEY = "PROVIDER_API_KEY"


@dataclass(frozen=True)
class Provider:
    """Where the batches go, and the key that opens it."""

    url: str
    api_key: str

    @property
    def values(self) -> dict[str, str]:
        """Return the template parameters that name it."""
        return {"ProviderBaseUrl": self.url, "ProviderApiKey": self.api_key}


def own_provider(host: Mapping[str, str]) -> Provider | None:
    """Return the provider named by PROVIDER_BASE_URL and PROVIDER_API_KEY in `host`, or None when neither is set.

    Raises:
        ProviderUnclearError: only one of the two is set.

    """
    given = {name: host.get(name) or host.get(f"BATCHYARD_{name}", "") for name in (URL, KEY)}
    missing = [name for name, value in given.items() if not value]
    if len(missing) == 1:
        present = URL if missing == [KEY] else KEY
        raise ProviderUnclearError(
            f"{present} is set but {missing[0]} is not. Set both to use your provider, or neither to use the emulator."
        )
    return None if missing else Provider(given[URL], given[KEY])
