"""What becomes of a provider's batches when the stack that waits for them is stopped: cancelled, and told of."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from botocore.exceptions import BotoCoreError, ClientError

from batch_client import BatchClientError
from local.errors import LocalError
from local.run.fetch_partial import salvage
from local.run.records import Sent, files_left, sent, unended
from local.stack.api_key import make_api_key
from local.stack.provider_choice import Provider
from local.stack.running import TENANT, Stack

_SECONDS = 10.0
_CALL_SECONDS = 3.0
_LOOK_SECONDS = 0.5
_CANCELLED = frozenset({"cancelling", "cancelled"})
_ENDED = frozenset({"completed", "failed", "expired"})


def abandon(stack: Stack, provider: Provider, say: Callable[[str], None], out: Path | None = None) -> None:
    """Have what the provider still runs cancelled, within about ten seconds, and say what became of it.

    With a folder `out`, what is finished is waited for and put there.
    """
    try:
        for batch_id in unended(stack.clients.table(stack.table), TENANT):
            _abandon(stack, provider, batch_id, say, out)
    except (BotoCoreError, ClientError):
        say("What still runs at the provider could not be found out; its own list of batches shows it.")


def _abandon(stack: Stack, provider: Provider, batch_id: str, say: Callable[[str], None], out: Path | None) -> None:
    table = stack.clients.table(stack.table)
    running = sent(table, batch_id).running
    if running:
        say(
            f"Cancelling at the provider: {', '.join(running)}. Ctrl-C again ends at once; they then run on, and are paid."
        )
    else:
        say("Cancelling the batch. Ctrl-C again ends at once.")  # a function may be about to send it
    seen, fetched = _cancelled(stack, provider, batch_id), False
    if out and (seen.sent.any or files_left(table, batch_id)):
        fetched = salvage(stack, provider, batch_id, out, say)
        seen = _seen(stack, provider, batch_id)
    for sentence in () if fetched else _told(batch_id, seen):
        say(sentence)
    if seen.sent.any:
        say("Running this input again sends, and pays for, all of its requests again.")
    else:
        say("The provider was given no batch, so nothing is paid.")


@dataclass(frozen=True)
class _Seen:
    """What the records say is at the provider, and the status there of each batch that runs."""

    sent: Sent
    statuses: dict[str, str]

    @property
    def settled(self) -> bool:
        return not self.sent.creating and all(status in _CANCELLED | _ENDED for status in self.statuses.values())


def _cancelled(stack: Stack, provider: Provider, batch_id: str) -> _Seen:
    """Cancel the batch, and return what is seen of it once the provider has taken that in, or ten seconds later."""
    deadline = time.monotonic() + _SECONDS
    _ask(stack, batch_id)
    while not (seen := _seen(stack, provider, batch_id)).settled and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return seen


def _ask(stack: Stack, batch_id: str) -> None:
    """Cancel the batch as any user of the HTTP API would: nothing more is sent, and the provider's batches are cancelled."""
    try:
        key = make_api_key(stack.endpoint_url, stack.table, TENANT)
        url, headers = f"{stack.base_url}/batches/{batch_id}/cancel", {"Authorization": f"Bearer {key}"}
        requests.post(url, headers=headers, timeout=_SECONDS / 2)
    except (LocalError, requests.RequestException):
        return  # what it came to is looked up in either case


def _seen(stack: Stack, provider: Provider, batch_id: str) -> _Seen:
    now, deadline = sent(stack.clients.table(stack.table), batch_id), time.monotonic() + _SECONDS
    return _Seen(now, {running: _status(provider, running, deadline) for running in now.running})


def _status(provider: Provider, provider_batch_id: str, deadline: float) -> str:
    if time.monotonic() > deadline:  # a provider that stalls must not hold us up for each of its batches
        return "unknown"
    try:
        with provider.client(_CALL_SECONDS) as client:
            return client.retrieve_batch(provider_batch_id).status
    except BatchClientError:
        return "unknown"


def _told(batch_id: str, seen: _Seen) -> Iterator[str]:
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
