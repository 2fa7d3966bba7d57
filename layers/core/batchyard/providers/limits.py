"""The limits of one provider: the smaller of what the settings say and of what is known of the service."""

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from batch_client import Facts
    from batchyard.providers.entries import Entry

#: What is counted in the ledgers of a provider, by what fills up there.
UNITS: Final = {"tokens": "enqueued tokens", "requests": "requests that wait", "jobs": "batches at once"}

# What these answer at once is not what a batch answers: a job to be waited for, and a form in place of JSON.
ONLY_BY_BATCH: Final = frozenset({"/v1/videos", "/v1/images/edits"})


def is_too_few(facts: "Facts", endpoint: str, lines: int) -> bool:
    """Tell whether the service takes no batch of so few lines: they go one by one, whatever the deadline."""
    return lines < facts.least_lines and endpoint not in ONLY_BY_BATCH


def narrowed(entry: "Entry", facts: "Facts") -> "Entry":
    """Return the settings of a provider with no limit above that of the service; a fact that is not known bounds nothing.

    A shard may hold as many requests as the service wants at least.
    """
    requests, size, inputs = (
        entry.max_requests_per_shard,
        entry.max_bytes_per_shard,
        entry.max_embedding_inputs_per_shard,
    )
    return msgspec.structs.replace(
        entry,
        max_requests_per_shard=max(_smaller(requests, facts.most_lines), facts.least_lines),
        max_bytes_per_shard=_smaller(size, facts.most_bytes),
        # Each request of embeddings has an input at least.
        max_embedding_inputs_per_shard=_smaller(_smaller(inputs, facts.most_inputs), facts.most_embedding_lines),
    )


def most_in_ledger(entry: "Entry", facts: "Facts") -> str:
    """Return what a ledger may hold, as `configured_limit` reads it: tokens as set, jobs as many as the service runs."""
    return {"tokens": entry.max_enqueued_tokens, "jobs": str(facts.room_size)}.get(facts.room, "0")


def _smaller(setting: int, fact: int) -> int:
    return min(setting, fact) if fact else setting
