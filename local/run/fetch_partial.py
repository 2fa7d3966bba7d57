"""Fetch what a stopped run has finished, and leave no file at the provider.

The stack may wait for minutes between two looks at the provider, and here a person waits. So this module looks at the
provider, and calls the advance function for each shard whose provider batch has ended, as a webhook of the provider does.
"""

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from batch_client import BatchClientError
from local.run.disk_space import check_stack
from local.run.finish import finish
from local.run.provider_files import delete_files, left_sentence
from local.run.records import Held, list_held, list_open_shards, read_progress
from local.run.reporting import Display
from local.stack.deploy import STACK
from local.stack.provider_choice import Own, asking
from local.stack.running import Stack

MINUTES = 10  # OpenAI ends a cancelled batch within them
_LOOK_SECONDS = 2.0
_AGAIN_SECONDS = 10.0
_CALL_SECONDS = 3.0
_MOST_AT_ONCE = 10


def fetch_partial(
    stack: Stack, provider: Own, batch_id: str, out: Path, say: Callable[[str], None], minutes: float = MINUTES
) -> bool:
    """Wait for the end of a cancelled batch, and put what was finished into `out`; return whether the batch has ended.

    Raises:
        ResultsError: the results cannot be written.
        ProcessEnded: a process of the stack ended by itself.

    """
    say(f"Waiting for its end, {minutes:g} minutes at most, to fetch what is finished. Ctrl-C again ends at once.")
    table = stack.clients.table(stack.table)
    ended, last = _await_end(stack, provider, batch_id, minutes), read_progress(table, batch_id)
    if ended and last.done:
        if not finish(stack, last, out, say):
            return ended
    elif ended:
        say("Nothing of it was finished.")
    else:
        say(f"It has not ended after {minutes:g} minutes: nothing was fetched.")
    say(left_sentence(delete_files(stack, batch_id) if ended else list_held(table, batch_id)))
    return ended


def _await_end(stack: Stack, provider: Own, batch_id: str, minutes: float) -> bool:
    """Wait until the batch has ended or the time is over, and return whether the batch has ended."""
    table, function = stack.clients.table(stack.table), _advance_function(stack)
    deadline, asked = time.monotonic() + minutes * 60, dict[int, float]()
    with Display(own_provider=True) as display:
        while not (now := read_progress(table, batch_id)).ended:
            display.show(now)
            for shard in islice(_due_shards(stack, provider, batch_id, asked), _MOST_AT_ONCE):
                asked[shard] = time.monotonic()
                payload = json.dumps({"batch_id": batch_id, "shard": shard}).encode()
                function(payload)
            if time.monotonic() >= deadline:
                break
            check_stack(stack)
            time.sleep(_LOOK_SECONDS)
    return now.ended


def _due_shards(stack: Stack, provider: Own, batch_id: str, asked: dict[int, float]) -> Iterator[int]:
    """Yield the shards whose provider batch is over; a shard that still does not end is due again ten seconds later."""
    left = list_open_shards(stack.clients.table(stack.table), batch_id)
    for shard in sorted(left, key=lambda shard: asked.get(shard, 0.0)):
        running = left[shard]
        lately = shard in asked and time.monotonic() - asked[shard] < _AGAIN_SECONDS
        if not lately and (running is None or _has_ended(provider, running)):
            yield shard


def _has_ended(own: Own, running: Held) -> bool:
    try:
        with asking(own, running.provider, _CALL_SECONDS) as provider:
            return provider.look(running.id).ended
    except BatchClientError:
        return False  # the next round asks again


def _advance_function(stack: Stack) -> Callable[[bytes], None]:
    found = stack.clients.other("cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId="AdvanceFunction"
    )
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    functions = stack.clients.other("lambda")
    return lambda payload: functions.invoke(FunctionName=name, InvocationType="Event", Payload=payload)
