"""Whose a provider batch is that a webhook or an event of its provider names."""

from collections.abc import Mapping
from typing import Any, Final

from batchyard.adapters.stores.batch_store import LinkedShard
from batchyard.services import Services

LONGEST_ID: Final = 2_000  # bytes, as in the client; a key of the table holds little more


def owners_of(services: Services, provider_batch_id: str) -> list[LinkedShard]:
    """Return the shards of a provider batch; none if it is not recorded, or not yet.

    Nothing says which provider it is of. Where several have a batch of this id, each one's shard takes a look.
    """
    readable = 0 < len(provider_batch_id.encode("utf-8", "replace")) <= LONGEST_ID
    found = [services.batch_store.linked(name, provider_batch_id) for name in services.accounts] if readable else []
    return list(filter(None, found))


def job_named(event: Mapping[str, Any]) -> str:
    """Return the id of the job that an event of Amazon Bedrock names, the last part of its ARN; empty if it names none."""
    detail = event.get("detail")
    arn = detail.get("batchJobArn") if isinstance(detail, dict) else None
    return arn.rpartition("/")[2] if isinstance(arn, str) else ""
