"""The environment of a function, read once."""

import os
from collections.abc import Mapping
from functools import cache

import msgspec

from batchyard.domain.errors import SettingsError
from batchyard.domain.numbers import whole


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a provider: those of the stack, and what an entry of Providers may name instead."""

    #: The first three leave room for one line at least.
    max_requests_per_shard: int = 50_000
    max_bytes_per_shard: int = 200_000_000
    max_embedding_inputs_per_shard: int = 50_000
    #: Estimated prompt tokens; 0 for no limit.
    max_tokens_per_shard: int = 0
    #: One number, or `model=number` with commas between; 0 for none.
    max_enqueued_tokens: str = "0"
    first_enqueued_tokens: int = 0
    #: Provider batches; 0 for no limit.
    max_creates_per_hour: int = 2_000
    #: Shards of all batches; 0 for no limit. Of an entry, an equal share of it.
    max_concurrent_submits: int = 100


class Settings(Limits, frozen=True, kw_only=True, eq=False):
    """What template.yaml tells a function: each field is an environment variable, in lower case."""

    bucket: str
    table: str
    event_bus: str
    provider_base_url: str
    provider_secret_id: str
    #: Tells what this stack leaves at the provider from what another stack leaves there.
    stack: str
    #: The name of a profile of `batch_client`; empty if the host of the base URL tells.
    provider_profile: str = ""
    #: The ARN of the role by which a provider reads and writes the bucket by itself; empty if none does.
    provider_role_arn: str = ""
    #: Several providers, as JSON; empty for the one at `provider_base_url`.
    providers: str = ""
    #: These are empty in a function that needs none of them.
    state_machine_arn: str = ""
    cancel_function: str = ""
    advance_function: str = ""
    trigger_function: str = ""
    gather_function: str = ""
    schedule_group: str = ""
    schedule_role_arn: str = ""
    dead_letters_arn: str = ""
    provider_webhook_secret_id: str = ""
    webhook_state_machine_arn: str = ""
    signing_secret_id: str = ""
    chat_secret_id: str = ""
    notification_topic_arn: str = ""
    console_url: str = ""
    #: The window of provider batches, if the user names none; as `24h` or `7d`.
    completion_window: str = "24h"
    max_concurrent_shards: int = 20
    #: Tries of a line, lost batches of a line, and stalls of a shard in a row.
    max_attempts: int = 3
    #: What is done when nine tenths of the window are over: `wait`, `resubmit` or `finish`.
    deadline_action: str = "wait"
    #: The most lines of a shard that `finish` sends one by one.
    deadline_budget_requests: int = 100
    #: What they ask for: `flex`, where it is sold at the price of a batch, or `standard`.
    deadline_service_tier: str = "flex"
    #: Open batches of one tenant; 0 for no limit.
    max_open_batches: int = 1_000
    #: Bytes of one tenant's files; 0 for no limit.
    max_stored_bytes: int = 1_000_000_000_000
    #: Requests of one API key; 0 for no limit.
    max_requests_per_minute: int = 0
    #: Bytes that a packed input may unpack to.
    max_unpacked_bytes: int = 100_000_000_000
    #: What becomes of a batch with bad lines: `refuse` or `skip`.
    on_invalid: str = "refuse"
    #: The tenants whose uploads run, with commas between; empty for any.
    tenants: str = ""
    #: What an answer must be to count as success, as JSON; empty for nothing beside its status.
    accept: str = ""
    poll_floor_seconds: int = 30
    poll_ceiling_seconds: int = 3_600
    retry_floor_seconds: int = 30
    retry_ceiling_seconds: int = 600
    #: Days until a record expires.
    record_days: int = 90
    #: Days until a result expires; 0 for never.
    results_days: int = 0
    #: The user's own prices, as JSON; they go before ours.
    price_list: str = ""
    #: `true` or `false`.
    keep_provider_files: str = "false"
    #: `true` or `false`.
    webhooks_to_private_addresses: str = "false"
    #: What people are notified of: `completed`, `failed`, `paused` and `budget`, with commas between.
    notify_on: str = "failed,paused,budget"
    #: The kind of chat that is notified, `slack` or `teams`; empty for none.
    notify_chat: str = ""
    max_notifications_per_hour: int = 20

    @property
    def listed_tenants(self) -> list[str]:
        """Return the tenants whose uploads to the inbox run; empty if any tenant's do."""
        return [tenant for each in self.tenants.split(",") if (tenant := each.strip())]

    @property
    def of_schedules(self) -> tuple[str, str, str, str]:
        """Return the group of schedules, what they invoke, by which role, and who takes what nobody takes."""
        return self.schedule_group, self.trigger_function, self.schedule_role_arn, self.dead_letters_arn

    @property
    def private_webhooks(self) -> bool:
        """Tell whether webhooks may go to any address, also by plain http."""
        return self.webhooks_to_private_addresses == "true"


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings from variables; raises SettingsError, which names the variable that is missing or no number."""
    values: dict[str, str | int] = {}
    for field in msgspec.structs.fields(Settings):
        name, text = field.name, environment.get(field.name.upper())
        if text is not None:
            values[name] = _number(name, text) if field.type is int else text
        elif field.required:
            raise SettingsError(f"{name.upper()} is not set; template.yaml sets it for every function")
    return Settings(**values)  # type: ignore[arg-type]  # the loop gave each field its own type


def _number(name: str, text: str) -> int:
    number = whole(text)
    if number is None:
        raise SettingsError(f"{name.upper()} must be a whole number, not {text!r}")
    return number


@cache
def current() -> Settings:
    """Read the environment of this process, once."""
    return read(os.environ)
