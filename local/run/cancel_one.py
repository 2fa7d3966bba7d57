"""Cancel the batch of a run that a person has stopped, and fetch what was finished of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from batch_client import BatchClientError, Look
from local.errors import LocalError
from local.run.cancel_sentences import cost_sentence, has_stopped, outcome_sentences
from local.run.fetch_partial import fetch_partial
from local.run.records import AtProvider, Held, list_held, read_at_provider
from local.stack.api_key import make_api_key
from local.stack.provider_choice import Own, asking
from local.stack.running import TENANT, Stack

_SECONDS = 10.0
_CALL_SECONDS = 3.0
_LOOK_SECONDS = 0.5


def cancel_one(stack: Stack, provider: Own, batch_id: str, say: Callable[[str], None], out: Path) -> None:
    """Cancel the batch, wait for its end, put what was finished into `out`, and say what became of the provider batches."""
    table = stack.clients.table(stack.table)
    running = read_at_provider(table, batch_id).running
    if running:
        named = ", ".join(held.id for held in running)
        say(f"Cancelling at the provider: {named}. Ctrl-C again ends at once; they then run on, and are paid.")
    else:
        say("Cancelling the batch. Ctrl-C again ends at once.")  # a function may be about to create a provider batch
    seen, fetched = _cancel_and_wait(stack, provider, batch_id), False
    if seen.sent.any or list_held(table, batch_id):
        fetched = fetch_partial(stack, provider, batch_id, out, say)
        seen = _look(stack, provider, batch_id)
    sent = {batch_id: seen.sent}
    for sentence in () if fetched else outcome_sentences(sent, seen.looks):
        say(sentence)
    say(cost_sentence(sent))


@dataclass(frozen=True)
class _Seen:
    """One look at a batch while it is being cancelled."""

    #: What the records say of the provider.
    sent: AtProvider
    #: What the providers show of each provider batch that runs by the records; None of one that is not shown.
    looks: dict[Held, Look | None]

    @property
    def all_stopped(self) -> bool:
        """Tell whether every provider batch has ended or is being cancelled."""
        return not self.sent.creating and all(map(has_stopped, self.looks.values()))


def _cancel_and_wait(stack: Stack, provider: Own, batch_id: str) -> _Seen:
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


def _look(stack: Stack, provider: Own, batch_id: str) -> _Seen:
    now, deadline = read_at_provider(stack.clients.table(stack.table), batch_id), time.monotonic() + _SECONDS
    return _Seen(now, {running: _shown(provider, running, deadline) for running in now.running})


def _shown(own: Own, running: Held, deadline: float) -> Look | None:
    if time.monotonic() > deadline:  # a provider that does not answer must not cost a time-out for each batch
        return None
    try:
        with asking(own, running.provider, _CALL_SECONDS) as provider:
            return provider.look(running.id)
    except BatchClientError:
        return None
