"""What a person is told of the provider batches that ran when the stack was stopped."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from batch_client import Look, State
from local.run.looks import Looks
from local.run.records import AtProvider, Held, Open

AGAIN = "Ctrl-C again takes what is there, and ends at once."
_MOST_NAMED = 10


def has_stopped(look: Look | None) -> bool:
    """Tell whether a provider batch runs nothing more; None stands for one that the provider does not show."""
    return look is not None and look.state in {State.ENDING, State.ENDED}


def outcome_sentences(
    sent: Mapping[str, AtProvider], looks: Mapping[Held, Look | None], titled: Callable[[Held], str]
) -> Iterator[str]:
    """Say what became of the provider batches, each as it is `titled`.

    `sent` has what our batches have at the provider, by our ids; `looks` has what the providers show.
    """
    cancelled, over, left = list[str](), list[str](), list[str]()
    for held, look in looks.items():
        if look is None or not has_stopped(look):
            left.append(titled(held))
        else:
            (over if look.ended and not look.partial else cancelled).append(titled(held))
    if cancelled:
        yield f"The provider cancels {_named(cancelled)}; what it has finished of them is paid."
    if over:
        yield f"The provider has ended {_named(over)}; their answers were not fetched."
    if left:
        yield f"Not cancelled, so that it may run on and is paid: {', '.join(left)}."
    if unknown := [batch_id for batch_id, each in sent.items() if each.creating]:
        said = f"batchyard_batch = {' or '.join(unknown)}"
        yield f"One more may just have been created; its metadata, if the provider keeps any, says {said}."


def unknown_sentences(left: Mapping[int, Open], looks: Looks, fetched: Path | None) -> Iterator[str]:
    """Say of which requests nobody knows what became, because a provider does not answer, and how to go on.

    `fetched` is the folder with what is known, if there is one.
    """
    silent = dict[str, tuple[int, float]]()
    for each in left.values():
        seconds = None if each.provider is None else looks.silent_seconds(each.provider, each.running)
        if each.provider is not None and seconds is not None:
            lines, longest = silent.get(each.provider, (0, 0.0))
            silent[each.provider] = lines + each.lines, max(longest, seconds)
    for provider, (lines, longest) in silent.items():
        name, what = looks.name(provider) or "The provider", "1 request" if lines == 1 else f"{lines:,} requests"
        yield (
            f"{name} has not answered for {longest:.0f} s ({looks.why(provider)}). "
            f"What became of {what} there is not known."
        )
    if silent and fetched is not None:
        yield (
            f"These are outcome_unknown in {fetched / 'errors.jsonl'}, and in {fetched / 'retry.jsonl'}, too. To go on: once "
            "the provider answers, cancel there what was not cancelled, or take its answers; then run retry.jsonl."
        )
    elif silent:
        yield "To go on: once the provider answers, cancel there what was not cancelled; then run the input again."


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
