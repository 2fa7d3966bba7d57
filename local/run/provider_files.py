"""Delete the files of a batch at the user's own provider, once nobody needs them any more."""

import time
from concurrent.futures import ThreadPoolExecutor

from batch_client import BatchClientError, NotFoundError
from local.run.records import list_files_at_provider
from local.stack.provider_choice import Own
from local.stack.running import Stack

_SECONDS = 60.0
_CALLS_AT_ONCE = 8


def delete_files(stack: Stack, batch_id: str) -> list[str]:
    """Delete the batch's files at the provider if that was put off until now, and return the ids of those that are left."""
    ids = list_files_at_provider(stack.clients.table(stack.table), batch_id)
    own = stack.own
    if own is None or not stack.deletes_late:
        return ids
    deadline = time.monotonic() + _SECONDS
    with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        gone = pool.map(lambda file_id: _delete(own, file_id, deadline), ids)
        return [file_id for file_id, is_gone in zip(ids, gone, strict=True) if not is_gone]


def left_sentence(left: list[str]) -> str:
    """Say which files are left at the provider."""
    return f"Files left at the provider: {', '.join(left)}." if left else "No file of it is left at the provider."


def _delete(own: Own, file_id: str, deadline: float) -> bool:
    if time.monotonic() > deadline:
        return False
    try:
        with own.client() as client:
            client.delete_file(file_id)
    except NotFoundError:
        return True
    except BatchClientError:
        return False
    return True
