"""One provider as this stack uses it: its client and key, its token ledgers, its creations and its prices."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_client import Dialect, Facts, Profile
    from batchyard.adapters.bucket import Bucket
    from batchyard.adapters.secrets_manager import Secret
    from batchyard.adapters.stores.creation_store import CreationStore
    from batchyard.adapters.stores.token_ledger_store import TokenLedgerStore
    from batchyard.costs.price_list import Sellers
    from batchyard.costs.prices import Prices
    from batchyard.domain.batch import Batch
    from batchyard.providers.entries import Entry
    from batchyard.providers.objects import BucketFolder
    from batchyard.settings import Settings

T = TypeVar("T")
LOOK_AGAIN = 600.0  # seconds after which a secret without an access key is read again


class Account:
    """What belongs to one provider alone; each part is imported and built when it is first used."""

    def __init__(
        self, settings: Settings, entry: Entry, secret: Callable[[], Secret], bucket: Callable[[], Bucket],
        dialect: Dialect | None = None,
    ) -> None:  # fmt: skip
        """Keep what the settings say; `secret` returns the secret with the key, `dialect` takes the place of the client."""
        self._entry, self._settings, self._secret, self._bucket = entry, settings, secret, bucket
        self._dialect = dialect

    @property
    def name(self) -> str:
        """Name the provider, as its shards and ledgers do."""
        return self._entry.name

    @cached_property
    def profile(self) -> Profile:
        """What is known of the service: the profile that is set, or that of its host."""
        from batch_client import choose_profile

        return choose_profile(self._entry.profile or None, self._entry.base_url)

    @property
    def facts(self) -> Facts:
        """What the service takes, shows and keeps."""
        return self.profile.facts

    @cached_property
    def entry(self) -> Entry:
        """What the settings say, with no limit above that of the service."""
        from batchyard.providers.limits import narrowed

        return narrowed(self._entry, self.facts)

    def window(self, batch: Batch) -> str:
        """Return the window of provider batches of a batch: the provider's own if it has one, as 24h."""
        return self.entry.completion_window or batch.completion_window

    @property
    def secret(self) -> Secret:
        """The secret that holds the API key."""
        return self._secret()

    @cached_property
    def token_ledgers(self) -> TokenLedgerStore:
        """The provider's token ledgers."""
        from batchyard.adapters.stores.token_ledger_store import TokenLedgerStore
        from batchyard.providers.limits import most_in_ledger

        return TokenLedgerStore(self._settings.table, self.name, most_in_ledger(self._entry, self.facts))

    @cached_property
    def creations(self) -> CreationStore:
        """How many provider batches are created, in an hour and at once."""
        from batchyard.adapters.stores.creation_store import CreationStore

        return CreationStore(self._settings.table, self.name)

    @cached_property
    def sellers(self) -> Sellers:
        """Who in the price list asks the prices of the service."""
        from batchyard.costs.price_list import Sellers

        facts = self.facts
        return Sellers(facts.sellers, facts.sellers_alike, facts.flex_sellers, str(facts.price))

    @property
    def prices(self) -> Prices:
        """What models cost at the provider; raises SettingsError where the user's own list cannot be read."""
        from batchyard.costs.prices import prices_of
        from batchyard.domain.errors import SettingsError

        try:
            return prices_of(self.sellers, self._entry.price_list or self._settings.price_list)
        except ValueError as error:
            raise SettingsError(f"PriceList is no list of prices: {error}. See docs/cost.md.") from error

    @cached_property
    def client(self) -> Dialect:
        """The provider's API, in its dialect, each call measured; raises KeyMissing if the settings name no such one."""
        from batch_client import BatchClient, RetryPolicy, speak
        from batchyard.adapters.aws import RoleSigner
        from batchyard.domain.errors import KeyMissing
        from batchyard.domain.job import ATTEMPT_LABEL
        from batchyard.providers.measured import MeasuredProvider

        if not self._entry.base_url:
            raise KeyMissing.of_unknown(self.name)

        if self._dialect is not None:
            return MeasuredProvider(self._dialect)
        # The state machine repeats what takes longer, and submit relies on a create that ends in time.
        retry = RetryPolicy(total=30.0)
        profile = self.profile
        key = self.key if profile.signing is None else RoleSigner(self._access_key)
        client = BatchClient(key, self._entry.base_url, profile=profile, headers=self._entry.headers, retry=retry)
        return MeasuredProvider(speak(client, ATTEMPT_LABEL, self.objects))

    @property
    def objects(self) -> BucketFolder:
        """The folder of the data bucket in which the provider reads and writes, if it does so by itself."""
        from batchyard.domain.object_keys import provider_folder
        from batchyard.providers.objects import BucketFolder

        role = self._entry.role or self._settings.provider_role_arn
        return BucketFolder(self._bucket, provider_folder(self.name), role)

    def key(self) -> str:
        """Return the API key; raises KeyMissing, which a shard waits for as for any word of an operator."""
        from batchyard.domain.errors import KeyMissing, SecretMissing

        several = bool(self._settings.providers)
        try:
            return self._key_of_several() if several else self.secret()
        except SecretMissing as error:
            raise KeyMissing.of(self.secret.name, self.name if several else None) from error

    def _key_of_several(self) -> str:
        from batchyard.domain.errors import SecretMissing
        from batchyard.providers.keys import read_keys

        try:
            return read_keys(self.secret())[self.name]
        except (KeyError, ValueError) as error:
            raise SecretMissing(f"the secret {self.secret.name} has no key of {self.name}") from error

    def _access_key(self) -> str | None:
        """Return the access key that signs in place of the function's role; None if the secret holds none."""
        import re

        from batchyard.providers.keys import ACCESS_KEY, read_keys

        text = self.secret.if_stored(LOOK_AGAIN) or ""
        try:
            text = read_keys(text).get(self.name, "") if self._settings.providers else text
        except ValueError:  # nothing is stored, or the key of one provider
            return None
        return text if re.fullmatch(ACCESS_KEY, text) else None

    def ask(self, call: Callable[[Dialect], T]) -> T:
        """Call the provider; if the key is refused or cannot be sent, read the key again, and call once more."""
        from batch_client import AuthenticationError, InvalidArgumentError

        try:
            return call(self.client)
        except (AuthenticationError, InvalidArgumentError):
            self.secret.forget()
            return call(self.client)
