"""What a person is told of the provider batches that ran when the stack was stopped."""

from collections.abc import Iterator, Mapping, Sequence

from batch_client import Look, State
from local.run.records import AtProvider, Held

_MOST_NAMED = 10


def has_stopped(look: Look | None) -> bool:
    """Tell whether a provider batch runs nothing more; None stands for one that the provider does not show."""
    return look is not None and look.state in {State.ENDING, State.ENDED}


def outcome_sentences(sent: Mapping[str, AtProvider], looks: Mapping[Held, Look | None]) -> Iterator[str]:
    """Say what became of the provider batches.

    `sent` has what our batches have at the provider, by our ids; `looks` has what the providers show.
    """
    cancelled, over, left = list[str](), list[str](), list[str]()
    for held, look in looks.items():
        if look is None or not has_stopped(look):
            left.append(held.id)
        else:
            (over if look.ended and not look.partial else cancelled).append(held.id)
    if cancelled:
        yield f"The provider cancels {_named(cancelled)}; what it has finished of them is paid."
    if over:
        yield f"The provider has ended {_named(over)}; their answers were not fetched."
    if left:
        yield f"Still running at the provider, and paid for: {', '.join(left)}."
    if unknown := [batch_id for batch_id, each in sent.items() if each.creating]:
        said = f"batchyard_batch = {' or '.join(unknown)}"
        yield f"One more may just have been created; its metadata, if the provider keeps any, says {said}."


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
