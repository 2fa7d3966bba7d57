"""What a person is told of the provider batches that ran when the stack was stopped."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from local.run.records import AtProvider

_CANCELLED: Final = frozenset({"cancelling", "cancelled"})
_ENDED: Final = frozenset({"completed", "failed", "expired"})
#: The statuses of a provider batch that sends nothing more.
STOPPED: Final = _CANCELLED | _ENDED
_MOST_NAMED = 10


def outcome_sentences(sent: Mapping[str, AtProvider], statuses: Mapping[str, str]) -> Iterator[str]:
    """Say what became of the provider batches.

    `sent` has what our batches have at the provider, by our ids; `statuses` has the provider's own statuses.
    """
    kinds = {
        "The provider cancels {}; what it has finished of them is paid.": _CANCELLED,
        "The provider has ended {}; their answers were not fetched.": _ENDED,
    }
    for sentence, members in kinds.items():
        if ids := [each for each, status in statuses.items() if status in members]:
            yield sentence.format(_named(ids))
    if left := [each for each, status in statuses.items() if status not in STOPPED]:
        yield f"Still running at the provider, and paid for: {', '.join(left)}."
    if unknown := [batch_id for batch_id, each in sent.items() if each.creating]:
        yield f"One more may just have been created; its metadata says batchyard_batch = {' or '.join(unknown)}."


def cost_sentence(sent: Mapping[str, AtProvider]) -> str:
    """Say what another try would cost."""
    if not any(each.any for each in sent.values()):
        return "The provider was given no batch, so nothing is paid."
    if len(sent) == 1:
        return "Running this input again sends, and pays for, all of its requests again."
    return "Running an input again sends, and pays for, all of its requests again."


def _named(ids: Sequence[str]) -> str:
    if len(ids) <= _MOST_NAMED:
        return ", ".join(ids)
    return f"{len(ids)} batches ({', '.join(ids[:_MOST_NAMED])} and {len(ids) - _MOST_NAMED} more)"
