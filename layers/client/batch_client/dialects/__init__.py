"""Which dialect a client speaks: that of the profile of its service."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from ..client import BatchClient
from ..dialect import Dialect
from ..objects import Objects

# The module and the class of each; only that of the service is imported.
DIALECTS: Final[Mapping[str, tuple[str, str]]] = {
    "openai": (".openai", "OpenAIDialect"),
    "anthropic": (".anthropic", "AnthropicDialect"),
    "bedrock": (".bedrock", "BedrockDialect"),
    "bedrock-openai": (".bedrock_openai", "BedrockOpenAIDialect"),
    "mistral": (".mistral", "MistralDialect"),
}


def speak(client: BatchClient, key_label: str, objects: Objects | None = None) -> Dialect:
    """Return the dialect of a client's service; `key_label` is the member of a batch's metadata that holds the key of a job.

    `objects` are those that the service reads and writes by itself: a call that needs such is refused without them.
    """
    module, name = DIALECTS[client.profile.dialect]
    dialect: Dialect = getattr(import_module(module, __name__), name)(client, key_label, objects)
    return dialect
