"""Which dialect a client speaks: that of the profile of its service."""

from collections.abc import Mapping
from typing import Final

from .anthropic_dialect import AnthropicDialect
from .client import BatchClient
from .dialect import Dialect
from .openai_dialect import OpenAIDialect

DIALECTS: Final[Mapping[str, type[OpenAIDialect | AnthropicDialect]]] = {
    "openai": OpenAIDialect,
    "anthropic": AnthropicDialect,
}


def speak(client: BatchClient, key_label: str) -> Dialect:
    """Return the dialect of a client's service; `key_label` is the member of a batch's metadata that holds the key of a job."""
    return DIALECTS[client.profile.dialect](client, key_label)
