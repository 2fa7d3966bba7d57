"""Cancel everything at the user's own provider at once, when the stack ends and nobody waits for results.

No function begins any more, and those that run have two seconds to record what they send. Then they are ended, so that the
records are complete. The provider batches are cancelled side by side and from here, because hundreds of batches would wait
for the few workers that run functions.
"""

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING

from batch_client import APIStatusError, BatchClientError, Look
from local.run.cancel_sentences import cost_sentence, has_stopped, outcome_sentences
from local.run.looks import side_by_side
from local.run.records import AtProvider, Held, read_open_at_provider
from local.stack.provider_choice import Own, asking, titled
from local.stack.running import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

_SECONDS = 7.0
_QUIET_SECONDS = 2.0
_LAST_SECONDS = 2.0
_CALL_SECONDS = 2.0
_LOOK_SECONDS = 0.5


def cancel_at_once(stack: Stack, provider: Own, say: Callable[[str], None]) -> None:
    """Cancel every provider batch within about ten seconds, and say once what became of them; say nothing if no batch is open.

    Raises:
        BotoCoreError: the engine does not answer.
        ClientError: the engine refuses.

    """
    deadline = time.monotonic() + _SECONDS
    table = stack.clients.table(stack.table)
    sent = read_open_at_provider(table)
    if not sent:
        return
    say(
        f"Cancelling {_count(sent)} at the provider. Ctrl-C again ends at once; what runs there then runs on, and is paid."
    )
    names = function_names(stack)
    stop_functions(stack, names)
    quiet, looks = time.monotonic() + _QUIET_SECONDS, dict[Held, Look | None]()
    while True:
        _cancel_new(table, provider, sent, looks, deadline)
        if time.monotonic() > (quiet if _is_settled(sent, looks) else deadline):
            break
        time.sleep(_LOOK_SECONDS)
    _end_functions(stack, names)
    _cancel_new(table, provider, sent, looks, time.monotonic() + _LAST_SECONDS)
    for sentence in (*outcome_sentences(sent, looks, lambda held: titled(provider, *held)), cost_sentence(sent)):
        say(sentence)


def _cancel_new(
    table: "Table", provider: Own, sent: dict[str, AtProvider], looks: dict[Held, Look | None], deadline: float
) -> None:
    """Read what is at the provider now into `sent`, and cancel what does not stop yet; `looks` gets the answers."""
    sent.update(read_open_at_provider(table))
    running = [each for found in sent.values() for each in found.running if not has_stopped(looks.get(each))]
    looks.update(_cancel_side_by_side(provider, running, deadline))


def _count(sent: Mapping[str, AtProvider]) -> str:
    return "the batch" if len(sent) == 1 else f"{len(sent)} batches"


def function_names(stack: Stack) -> list[str]:
    """Return the names of all functions of the stack."""
    pages = stack.clients.other("lambda").get_paginator("list_functions").paginate()
    return [function["FunctionName"] for page in pages for function in page["Functions"]]


def stop_functions(stack: Stack, names: Collection[str]) -> None:
    """Let no function begin any more; a function that runs goes on."""
    functions = stack.clients.other("lambda")
    for name in names:
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)


def _end_functions(stack: Stack, names: Collection[str]) -> None:
    """End the functions that still run: the engine ends the workers of a function that is deleted."""
    functions = stack.clients.other("lambda")
    for name in names:
        functions.delete_function(FunctionName=name)


def _is_settled(sent: Mapping[str, AtProvider], looks: Mapping[Held, Look | None]) -> bool:
    return not any(each.creating for each in sent.values()) and all(map(has_stopped, looks.values()))


def _cancel_side_by_side(own: Own, running: Collection[Held], deadline: float) -> dict[Held, Look | None]:
    """Cancel these provider batches, and return what the providers show of them by the deadline."""
    calls = {each: partial(_cancel, own, each) for each in running}
    seen = side_by_side(calls, lambda: time.monotonic() > deadline)
    return {each: seen.get(each) for each in running}


def _cancel(own: Own, running: Held) -> Look | None:
    try:
        with asking(own, running.provider, _CALL_SECONDS) as provider:
            try:
                return provider.stop(running.id)
            except APIStatusError:  # some providers do not cancel what has ended
                return provider.look(running.id)
    except BatchClientError:
        return None
