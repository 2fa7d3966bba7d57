"""What becomes of a provider's batches when the stack that waits for them is stopped: cancelled, and told of."""

import time
from collections.abc import Callable, Iterator

import requests
from botocore.exceptions import BotoCoreError, ClientError

from batch_client import BatchClientError
from local.api_key import api_key
from local.errors import LocalError
from local.provider_choice import Provider
from local.records import Sent, sent, unended
from local.stack import TENANT, Stack

_SECONDS = 10.0
_CALL_SECONDS = 3.0
_LOOK_SECONDS = 0.5
_CANCELLED = frozenset({"cancelling", "cancelled"})
_ENDED = frozenset({"completed", "failed", "expired"})


def abandon(stack: Stack, provider: Provider, say: Callable[[str], None]) -> None:
    """Have what the provider still runs cancelled, within about ten seconds, and say what became of it."""
    try:
        for batch_id in unended(stack.clients.table(stack.table), TENANT):
            for sentence in _abandoned(stack, provider, batch_id, say):
                say(sentence)
    except (BotoCoreError, ClientError):
        say("What still runs at the provider could not be found out; its own list of batches shows it.")


def _abandoned(stack: Stack, provider: Provider, batch_id: str, say: Callable[[str], None]) -> Iterator[str]:
    table = stack.clients.table(stack.table)
    running = sent(table, batch_id).running
    if running:
        say(
            f"Cancelling at the provider: {', '.join(running)}. Ctrl-C again ends at once; they then run on, and are paid."
        )
    else:
        say("Cancelling the batch. Ctrl-C again ends at once.")  # a function may be about to send it
    yield from _cancelled(stack, provider, batch_id)
    if sent(table, batch_id).any:
        yield "Running this input again sends, and pays for, all of its requests again."
    else:
        yield "The provider was given no batch, so nothing is paid."


def _cancelled(stack: Stack, provider: Provider, batch_id: str) -> Iterator[str]:
    deadline = time.monotonic() + _SECONDS
    _ask(stack, batch_id)
    while True:
        now = sent(stack.clients.table(stack.table), batch_id)
        statuses = {running: _status(provider, running, deadline) for running in now.running}
        settled = not now.creating and all(status in _CANCELLED | _ENDED for status in statuses.values())
        if settled or time.monotonic() > deadline:
            yield from _told(batch_id, now, statuses)
            return
        time.sleep(_LOOK_SECONDS)


def _ask(stack: Stack, batch_id: str) -> None:
    """Cancel the batch as any user of the HTTP API would: nothing more is sent, and the provider's batches are cancelled."""
    try:
        key = api_key(stack.endpoint_url, stack.table, TENANT)
        url, headers = f"{stack.base_url}/batches/{batch_id}/cancel", {"Authorization": f"Bearer {key}"}
        requests.post(url, headers=headers, timeout=_SECONDS / 2)
    except (LocalError, requests.RequestException):
        return  # what it came to is looked up in either case


def _status(provider: Provider, provider_batch_id: str, deadline: float) -> str:
    if time.monotonic() > deadline:  # a provider that stalls must not hold us up for each of its batches
        return "unknown"
    try:
        with provider.client(_CALL_SECONDS) as client:
            return client.retrieve_batch(provider_batch_id).status
    except BatchClientError:
        return "unknown"


def _told(batch_id: str, now: Sent, statuses: dict[str, str]) -> Iterator[str]:
    kinds = {
        "The provider cancels {}; what it has finished of them is paid.": _CANCELLED,
        "The provider has ended {}; their answers were not fetched.": _ENDED,
    }
    for sentence, members in kinds.items():
        if ids := [each for each, status in statuses.items() if status in members]:
            yield sentence.format(", ".join(ids))
    if left := [each for each, status in statuses.items() if status not in _CANCELLED | _ENDED]:
        yield f"Still running at the provider, and paid for: {', '.join(left)}."
    if now.creating:
        yield f"One more may just have been created; its metadata says batchyard_batch = {batch_id}."
