"""Cancel the batch of a run that a person has stopped, and fetch what was finished of it."""

import time
from collections.abc import Callable
from pathlib import Path

import requests

from local.errors import LocalError
from local.run.cancel_sentences import AGAIN, cost_sentence, has_stopped, outcome_sentences
from local.run.fetch_partial import fetch_partial
from local.run.looks import Looks
from local.run.records import AtProvider, list_held, read_at_provider
from local.signals import Hurry
from local.stack.api_key import make_api_key
from local.stack.provider_choice import Own
from local.stack.running import TENANT, Stack

_SECONDS = 10.0
_REQUEST_SECONDS = 5.0
_LOOK_SECONDS = 0.5


def cancel_one(stack: Stack, provider: Own, batch_id: str, say: Callable[[str], None], out: Path, hurry: Hurry) -> None:
    """Cancel the batch, wait for its end, put what was finished into `out`, and say what became of the provider batches."""
    table, looks = stack.clients.table(stack.table), Looks(provider, lambda: hurry.asked)
    running = read_at_provider(table, batch_id).running
    # where nothing is known to run, a function may be about to create a provider batch
    named = f" at the provider: {', '.join(map(looks.titled, running))}" if running else " the batch"
    say(f"Cancelling{named}. Nothing more is sent. {AGAIN}")
    sent = _cancel_and_wait(stack, looks, batch_id, hurry)
    if sent.any or list_held(table, batch_id):
        fetch_partial(stack, looks, batch_id, out, say, hurry)
        sent = read_at_provider(table, batch_id)
    shown = {held: looks.shown.get(held) for held in sent.running}
    for sentence in outcome_sentences({batch_id: sent}, shown, looks.titled):
        say(sentence)
    say(cost_sentence({batch_id: sent}))


def _cancel_and_wait(stack: Stack, looks: Looks, batch_id: str, hurry: Hurry) -> AtProvider:
    """Cancel the batch, and return what is at the providers when they have followed, after ten seconds, or in a hurry."""
    deadline, table = time.monotonic() + _SECONDS, stack.clients.table(stack.table)
    _request_cancel(stack, batch_id)
    while True:
        sent = read_at_provider(table, batch_id)
        # from here, too: the stack's own function asks one provider after the other
        looks.stop([held for held in sent.running if not has_stopped(looks.shown.get(held))])
        stopped = all(has_stopped(looks.shown.get(held)) for held in sent.running)
        if (stopped and not sent.creating) or hurry.asked or time.monotonic() > deadline:
            return sent
        hurry.nap(_LOOK_SECONDS)


def _request_cancel(stack: Stack, batch_id: str) -> None:
    """Cancel the batch by the HTTP API: nothing more is sent, and the batch's provider batches are cancelled."""
    try:
        key = make_api_key(stack.endpoint_url, stack.table, TENANT)
        url, headers = f"{stack.base_url}/batches/{batch_id}/cancel", {"Authorization": f"Bearer {key}"}
        requests.post(url, headers=headers, timeout=_REQUEST_SECONDS)
    except (LocalError, requests.RequestException):
        return  # the caller asks the providers itself, whether the API answered or not
