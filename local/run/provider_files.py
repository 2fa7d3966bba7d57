"""Delete what the user's own providers hold of a batch, inputs and results, once nobody needs it any more."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from batch_client import BatchClientError
from local.run.records import Held, list_held
from local.stack.provider_choice import Own, asking
from local.stack.running import Stack

_SECONDS = 60.0
_CALLS_AT_ONCE = 8


def delete_files(stack: Stack, batch_id: str) -> list[Held]:
    """Delete what the providers hold of the batch if that was put off until now, and return what is left."""
    found = list_held(stack.clients.table(stack.table), batch_id)
    own = stack.own
    if own is None or not stack.deletes_late:
        return found
    deadline = time.monotonic() + _SECONDS
    with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        gone = pool.map(lambda held: _delete(own, held, deadline), found)
        return [held for held, is_gone in zip(found, gone, strict=True) if not is_gone]


def left_sentence(left: Sequence[Held]) -> str:
    """Say which inputs and results are left at the provider."""
    if not left:
        return "No input and no result of it is left at the provider."
    return f"Left at the provider: {', '.join(held.id for held in left)}."


def _delete(own: Own, held: Held, deadline: float) -> bool:
    if (holder := own.named(held.provider)) is not None and holder.reads_objects:
        return True  # it lies in the bucket of this stack, and ends with it
    if time.monotonic() > deadline:
        return False
    try:
        with asking(own, held.provider) as provider:
            provider.forget(held.id)
    except BatchClientError:
        return False
    return True
