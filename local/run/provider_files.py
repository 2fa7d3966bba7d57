"""What the user's own providers hold of a batch, inputs and results: deleted once nobody needs it any more, or told."""

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

from batch_client import APIConnectionError, BatchClientError
from local.run.looks import side_by_side
from local.run.records import Held, list_held
from local.signals import Hurry
from local.stack.provider_choice import Own, asking
from local.stack.running import Stack

_SECONDS = 60.0


def delete_files(stack: Stack, batch_id: str, spared: Collection[Held] = (), hurry: Hurry | None = None) -> list[Held]:
    """Delete what the providers hold of the batch if that was put off until now, and return what is left.

    Nothing of `spared` is deleted, and nothing more once a person hurries.
    """
    found = list_held(stack.clients.table(stack.table), batch_id)
    own = stack.own
    if own is None or not stack.deletes_late:
        return found
    deadline, silent = time.monotonic() + _SECONDS, set[str]()
    calls = {held: partial(_delete, own, held, silent) for held in found if held not in spared}
    gone = side_by_side(calls, lambda: time.monotonic() > deadline or (hurry is not None and hurry.asked))
    return [held for held in found if not gone.get(held)]


def left_sentence(left: Sequence[Held], titled: Callable[[Held], str]) -> str:
    """Say which inputs and results are left at the provider."""
    if not left:
        return "No input and no result of it is left at the provider."
    return f"Left at the provider: {', '.join(map(titled, left))}."


def _delete(own: Own, held: Held, silent: set[str]) -> bool:
    """Delete it; a provider that gave no answer is not asked again, and is added to `silent`."""
    if (holder := own.named(held.provider)) is not None and holder.reads_objects:
        return True  # it lies in the bucket of this stack, and ends with it
    if held.provider in silent:
        return False
    try:
        with asking(own, held.provider) as provider:
            provider.forget(held.id)
    except BatchClientError as error:
        if isinstance(error, APIConnectionError):
            silent.add(held.provider)
        return False
    return True
