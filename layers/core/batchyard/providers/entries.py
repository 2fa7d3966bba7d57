"""What the settings say of each provider: its address, its kind, and its limits."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from batchyard.settings import Settings


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One provider, as the settings describe it."""

    #: What shards, token ledgers and reports call it.
    name: str
    base_url: str
    #: The name of a profile of `batch_client`; empty if the host of the base URL tells.
    profile: str
    max_requests_per_shard: int
    max_bytes_per_shard: int
    max_embedding_inputs_per_shard: int
    #: Estimated prompt tokens; 0 for no limit.
    max_tokens_per_shard: int
    #: One number, or `model=number` with commas between; 0 for none.
    max_enqueued_tokens: str
    first_enqueued_tokens: int
    #: Provider batches; 0 for no limit.
    max_creates_per_hour: int
    #: Shards of all batches; 0 for no limit.
    max_concurrent_submits: int


#: What an entry takes from the settings of the stack.
OF_THE_STACK = (
    "max_requests_per_shard", "max_bytes_per_shard", "max_embedding_inputs_per_shard", "max_tokens_per_shard",
    "max_enqueued_tokens", "first_enqueued_tokens", "max_creates_per_hour", "max_concurrent_submits",
)  # fmt: skip


def entries(settings: "Settings") -> list[Entry]:
    """List the providers of the stack: the one at ProviderBaseUrl, whose name is host and port of its address."""
    name = urlsplit(settings.provider_base_url).netloc.rpartition("@")[2].lower()
    limits = {each: getattr(settings, each) for each in OF_THE_STACK}
    return [Entry(name=name, base_url=settings.provider_base_url, profile=settings.provider_profile, **limits)]
