"""Cancel what runs at the user's own provider when the stack is stopped, and say what became of each provider batch."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from botocore.exceptions import BotoCoreError, ClientError

from batch_client import BatchClientError
from local.errors import LocalError
from local.run.fetch_partial import fetch_partial
from local.run.records import AtProvider, list_files_at_provider, list_open_batches, read_at_provider
from local.stack.api_key import make_api_key
from local.stack.provider_choice import Provider
from local.stack.running import TENANT, Stack

_SECONDS = 10.0
_CALL_SECONDS = 3.0
_LOOK_SECONDS = 0.5
_CANCELLED = frozenset({"cancelling", "cancelled"})
_ENDED = frozenset({"completed", "failed", "expired"})


def cancel_all(stack: Stack, provider: Provider, say: Callable[[str], None], out: Path | None = None) -> None:
    """Cancel every open batch, each within about ten seconds, and say what became of its provider batches.

    With a folder `out`, wait for the end of the batch and put what was finished into `out`.
    """
    try:
        for batch_id in list_open_batches(stack.clients.table(stack.table), TENANT):
            _cancel_one(stack, provider, batch_id, say, out)
    except (BotoCoreError, ClientError):
        say("What still runs at the provider could not be found out; its own list of batches shows it.")


def _cancel_one(stack: Stack, provider: Provider, batch_id: str, say: Callable[[str], None], out: Path | None) -> None:
    table = stack.clients.table(stack.table)
    running = read_at_provider(table, batch_id).running
    if running:
        say(
            f"Cancelling at the provider: {', '.join(running)}. Ctrl-C again ends at once; they then run on, and are paid."
        )
    else:
        say("Cancelling the batch. Ctrl-C again ends at once.")  # a function may be about to create a provider batch
    seen, fetched = _cancel_and_wait(stack, provider, batch_id), False
    if out and (seen.sent.any or list_files_at_provider(table, batch_id)):
        fetched = fetch_partial(stack, provider, batch_id, out, say)
        seen = _look(stack, provider, batch_id)
    for sentence in () if fetched else _outcome_sentences(batch_id, seen):
        say(sentence)
    if seen.sent.any:
        say("Running this input again sends, and pays for, all of its requests again.")
    else:
        say("The provider was given no batch, so nothing is paid.")


@dataclass(frozen=True)
class _Seen:
    """One look at a batch while it is being cancelled."""

    #: What the records say of the provider.
    sent: AtProvider
    #: The provider's own status of each provider batch that runs by the records.
    statuses: dict[str, str]

    @property
    def all_stopped(self) -> bool:
        """Tell whether every provider batch has ended or is being cancelled."""
        return not self.sent.creating and all(status in _CANCELLED | _ENDED for status in self.statuses.values())


def _cancel_and_wait(stack: Stack, provider: Provider, batch_id: str) -> _Seen:
    """Cancel the batch, and return what is seen when the provider has followed, or after ten seconds."""
    deadline = time.monotonic() + _SECONDS
    _request_cancel(stack, batch_id)
    while not (seen := _look(stack, provider, batch_id)).all_stopped and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return seen


def _request_cancel(stack: Stack, batch_id: str) -> None:
    """Cancel the batch by the HTTP API: nothing more is sent, and the batch's provider batches are cancelled."""
    try:
        key = make_api_key(stack.endpoint_url, stack.table, TENANT)
        url, headers = f"{stack.base_url}/batches/{batch_id}/cancel", {"Authorization": f"Bearer {key}"}
        requests.post(url, headers=headers, timeout=_SECONDS / 2)
    except (LocalError, requests.RequestException):
        return  # the caller looks at the provider itself, whether the API answered or not


def _look(stack: Stack, provider: Provider, batch_id: str) -> _Seen:
    now, deadline = read_at_provider(stack.clients.table(stack.table), batch_id), time.monotonic() + _SECONDS
    return _Seen(now, {running: _status(provider, running, deadline) for running in now.running})


def _status(provider: Provider, provider_batch_id: str, deadline: float) -> str:
    if time.monotonic() > deadline:  # a provider that does not answer must not cost a time-out for each batch
        return "unknown"
    try:
        with provider.client(_CALL_SECONDS) as client:
            return client.retrieve_batch(provider_batch_id).status
    except BatchClientError:
        return "unknown"


def _outcome_sentences(batch_id: str, seen: _Seen) -> Iterator[str]:
    kinds = {
        "The provider cancels {}; what it has finished of them is paid.": _CANCELLED,
        "The provider has ended {}; their answers were not fetched.": _ENDED,
    }
    for sentence, members in kinds.items():
        if ids := [each for each, status in seen.statuses.items() if status in members]:
            yield sentence.format(", ".join(ids))
    if left := [each for each, status in seen.statuses.items() if status not in _CANCELLED | _ENDED]:
        yield f"Still running at the provider, and paid for: {', '.join(left)}."
    if seen.sent.creating:
        yield f"One more may just have been created; its metadata says batchyard_batch = {batch_id}."
