"""What a stopped run still gets of its batch: the answers that were finished; and nothing is left lying at the provider.

A person waits here, while the stack may sleep for minutes between two looks at the provider. So this looks instead, and has
the stack do at once what is due for a shard, as a webhook of the provider has it: collect, put together, delete.
"""

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from batch_client import BatchClientError
from local.run.records import files_left, progress, undone
from local.run.reporting import Display, closing
from local.run.results import fetch
from local.stack.deploy import STACK
from local.stack.provider_choice import Provider
from local.stack.running import Stack

MINUTES = 10  # in which OpenAI ends a batch that is being cancelled
_LOOK_SECONDS = 2.0
_AGAIN_SECONDS = 10.0
_CALL_SECONDS = 3.0
_MOST_AT_ONCE = 10


def salvage(
    stack: Stack, provider: Provider, batch_id: str, out: Path, say: Callable[[str], None], minutes: float = MINUTES
) -> bool:
    """Wait for a batch that is being cancelled and put what is finished into the folder `out`; False if it does not end.

    Raises:
        ResultsError: it cannot be written.
        ProcessEnded: a process of the stack ended by itself.

    """
    say(f"Waiting for its end, {minutes:g} minutes at most, to fetch what is finished. Ctrl-C again ends at once.")
    table = stack.clients.table(stack.table)
    ended, last = _ended(stack, provider, batch_id, minutes), progress(table, batch_id)
    if ended and last.done:
        closing(last, fetch(stack, batch_id, out))
    elif ended:
        say("Nothing of it was finished.")  # what an earlier run has left in `out` is worth more than that
    else:
        say(f"It has not ended after {minutes:g} minutes: nothing was fetched.")
    left = files_left(table, batch_id)
    say(f"Files left at the provider: {', '.join(left)}." if left else "No file of it is left at the provider.")
    return ended


def _ended(stack: Stack, provider: Provider, batch_id: str, minutes: float) -> bool:
    """Tell whether the batch has ended: as soon as it has, or when the time is over."""
    table, function = stack.clients.table(stack.table), _advance_function(stack)
    deadline, asked = time.monotonic() + minutes * 60, dict[int, float]()
    with Display(own_provider=True) as display:
        while not (now := progress(table, batch_id)).ended:
            display.show(now)
            for shard in islice(_due(stack, provider, batch_id, asked), _MOST_AT_ONCE):
                asked[shard] = time.monotonic()
                payload = json.dumps({"batch_id": batch_id, "shard": shard}).encode()
                function(payload)
            if time.monotonic() >= deadline:
                break
            stack.check()
            time.sleep(_LOOK_SECONDS)
    return now.ended


def _due(stack: Stack, provider: Provider, batch_id: str, asked: dict[int, float]) -> Iterator[int]:
    """Yield the shards that nothing at the provider keeps from their end; again, if one of them does not come to it."""
    left = undone(stack.clients.table(stack.table), batch_id)
    for shard in sorted(left, key=lambda shard: asked.get(shard, 0.0)):
        provider_batch_id = left[shard]
        lately = shard in asked and time.monotonic() - asked[shard] < _AGAIN_SECONDS
        if not lately and (provider_batch_id is None or _over(provider, provider_batch_id)):
            yield shard


def _over(provider: Provider, provider_batch_id: str) -> bool:
    try:
        with provider.client(_CALL_SECONDS) as client:
            return client.retrieve_batch(provider_batch_id).ended
    except BatchClientError:
        return False  # it is asked again


def _advance_function(stack: Stack) -> Callable[[bytes], None]:
    found = stack.clients.other("cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId="AdvanceFunction"
    )
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    functions = stack.clients.other("lambda")
    return lambda payload: functions.invoke(FunctionName=name, InvocationType="Event", Payload=payload)
