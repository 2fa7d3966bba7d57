"""One provider as this stack uses it: its client and key, its token ledgers, its creations and its prices."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchyard.adapters.creation_store import CreationStore
    from batchyard.adapters.secrets_manager import Secret
    from batchyard.adapters.token_ledger_store import TokenLedgerStore
    from batchyard.costs.prices import Prices
    from batchyard.domain.provider import Provider
    from batchyard.providers.entries import Entry
    from batchyard.settings import Settings

T = TypeVar("T")


class Account:
    """What belongs to one provider alone; each part is imported and built when it is first used."""

    def __init__(
        self, settings: Settings, entry: Entry, secret: Callable[[], Secret], provider: Provider | None = None
    ) -> None:
        """Keep what the settings say; `secret` returns the secret with the key, `provider` takes the place of the client."""
        self.entry, self._settings, self._secret, self._provider = entry, settings, secret, provider

    @property
    def name(self) -> str:
        """Name the provider, as its shards and ledgers do."""
        return self.entry.name

    @property
    def secret(self) -> Secret:
        """The secret that holds the API key."""
        return self._secret()

    @cached_property
    def token_ledgers(self) -> TokenLedgerStore:
        """The provider's token ledgers."""
        from batchyard.adapters.token_ledger_store import TokenLedgerStore

        return TokenLedgerStore(self._settings.table, self.name, self.entry.max_enqueued_tokens)

    @cached_property
    def creations(self) -> CreationStore:
        """How many provider batches are created, in an hour and at once."""
        from batchyard.adapters.creation_store import CreationStore

        return CreationStore(self._settings.table, self.name)

    @cached_property
    def profile_name(self) -> str:
        """Name the profile of the provider: the one that is set, or that of its host."""
        from batch_client import choose_profile

        return choose_profile(self.entry.profile or None, self.entry.base_url).name

    @property
    def prices(self) -> Prices:
        """What models cost at the provider; raises SettingsError where the user's own list cannot be read."""
        from batchyard.costs.prices import prices_of
        from batchyard.domain.errors import SettingsError

        try:
            return prices_of(self.profile_name, self._settings.price_list)
        except ValueError as error:
            raise SettingsError(f"PriceList is no list of prices: {error}. See docs/cost.md.") from error

    @cached_property
    def client(self) -> Provider:
        """The provider's API."""
        from batch_client import BatchClient, RetryPolicy

        # The state machine repeats what takes longer, and submit relies on a create that ends in time.
        retry = RetryPolicy(total=30.0)
        profile = self.entry.profile or None
        return self._provider or BatchClient(self.key, self.entry.base_url, profile=profile, retry=retry)

    def key(self) -> str:
        """Return the API key; raises KeyMissing, which a shard waits for as for any word of an operator."""
        from batchyard.domain.errors import KeyMissing, SecretMissing

        try:
            return self.secret()
        except SecretMissing as error:
            raise KeyMissing.of(self.secret.name) from error

    def ask(self, call: Callable[[Provider], T]) -> T:
        """Call the provider; if the key is refused or cannot be sent, read the key again, and call once more."""
        from batch_client import AuthenticationError, InvalidArgumentError

        try:
            return call(self.client)
        except (AuthenticationError, InvalidArgumentError):
            self.secret.forget()
            return call(self.client)
