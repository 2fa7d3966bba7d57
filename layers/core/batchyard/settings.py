"""The environment of a function, read once."""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from urllib.parse import urlsplit

from batchyard.domain.errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """What template.yaml tells a function; each field is the lower-case name of an environment variable.

    Times are seconds, sizes bytes. `stack` tells what we leave at the provider from what another stack leaves there.
    `max_tokens_per_shard` 0 is no limit. `state_machine_arn` and the names of functions are empty where none is needed.
    """

    bucket: str
    table: str
    event_bus: str
    provider_base_url: str
    provider_secret_id: str
    stack: str
    provider_profile: str = ""
    state_machine_arn: str = ""
    cancel_function: str = ""
    advance_function: str = ""
    provider_webhook_secret_id: str = ""
    webhook_state_machine_arn: str = ""
    signing_secret_id: str = ""
    completion_window: str = "24h"
    max_requests_per_shard: int = 50_000
    max_bytes_per_shard: int = 200_000_000
    max_embedding_inputs_per_shard: int = 50_000
    max_tokens_per_shard: int = 0
    max_concurrent_shards: int = 20
    max_attempts: int = 3
    deadline_action: str = "wait"
    deadline_budget_requests: int = 100
    max_open_batches: int = 1_000
    max_stored_bytes: int = 0
    on_invalid: str = "refuse"
    max_enqueued_tokens: str = "0"
    first_enqueued_tokens: int = 0
    max_creates_per_hour: int = 2_000
    poll_floor_seconds: int = 30
    poll_ceiling_seconds: int = 3_600
    retry_floor_seconds: int = 30
    retry_ceiling_seconds: int = 600
    record_days: int = 90
    results_days: int = 0
    keep_provider_files: str = "false"
    webhooks_to_private_addresses: str = "false"

    @property
    def provider_name(self) -> str:
        """Name the provider in token ledgers: host and port of its address."""
        return urlsplit(self.provider_base_url).netloc.rpartition("@")[2].lower()

    @property
    def private_webhooks(self) -> bool:
        """Tell whether webhooks may go to any address, and by plain http."""
        return self.webhooks_to_private_addresses == "true"


def read(environment: Mapping[str, str]) -> Settings:
    """Build Settings from variables; raises SettingsError naming the variable that is missing or no number."""
    values: dict[str, str | int] = {}
    for field in fields(Settings):
        text = environment.get(field.name.upper())
        if text is not None:
            values[field.name] = _number(field.name, text) if field.type is int else text
        elif field.default is MISSING:
            raise SettingsError(f"{field.name.upper()} is not set; template.yaml sets it for every function")
    return Settings(**values)  # type: ignore[arg-type]  # the loop above gave each field its own type


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise SettingsError(f"{name.upper()} must be a whole number, not {text!r}") from error


@cache
def current() -> Settings:
    """Read this process's environment, once."""
    return read(os.environ)
