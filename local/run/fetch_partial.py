"""Fetch what a stopped run has finished, and leave no file at the provider.

The stack may wait for minutes between two looks at the provider, and here a person waits. So this module looks at the
provider, and calls the advance function for each shard whose provider batch has ended, as a webhook of the provider does.
A provider that does not answer is not waited for: the results are put together without it.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from local.run.cancel_at_once import function_names, stop_functions
from local.run.cancel_sentences import AGAIN, unknown_sentences
from local.run.disk_space import check_stack
from local.run.finish import finish
from local.run.looks import Looks, side_by_side
from local.run.provider_files import delete_files, left_sentence
from local.run.records import Held, Open, has_answers, list_held, list_open_shards, read_progress
from local.run.reporting import Display
from local.signals import Hurry
from local.stack.deploy import STACK
from local.stack.function_logs import save_logs
from local.stack.running import Stack

MINUTES = 10  # OpenAI ends a cancelled batch within them
#: A provider that has answered nothing for so long is not waited for.
SILENT_SECONDS = 15.0
_LOOK_SECONDS = 2.0
_AGAIN_SECONDS = 10.0
_MOST_AT_ONCE = 10
_ASSEMBLE_SECONDS = 900.0


def fetch_partial(
    stack: Stack, looks: Looks, batch_id: str, out: Path, say: Callable[[str], None], hurry: Hurry,
    minutes: float = MINUTES,
) -> None:  # fmt: skip
    """Wait for the end of a cancelled batch, put what was finished into `out`, and say what is left at the providers.

    What does not end is left: a provider that does not answer, whatever runs after so many minutes, and all that is not
    there yet when a person hurries.

    Raises:
        ResultsError: the results cannot be written.
        ProcessEnded: a process of the stack ended by itself.

    """
    if not hurry.asked:
        say(f"Waiting for its end, {minutes:g} minutes at most, to fetch what is finished. {AGAIN}")
    table = stack.clients.table(stack.table)
    left = _await_end(stack, looks, batch_id, hurry, minutes)
    if left and has_answers(table, batch_id):
        _put_together(stack, batch_id, say)
    last, spared = read_progress(table, batch_id), _spared(stack, looks, batch_id, hurry)
    found = last.ended and bool(last.done)
    if found:
        told = not finish(stack, last, out, say, spared=spared, hurry=hurry) or (spared and stack.deletes_late)
    else:
        told = False
        say("Nothing of it was finished.")
    for sentence in unknown_sentences(left, looks, out / batch_id if found else None):
        say(sentence)
    if not told:
        say(left_sentence(spared or delete_files(stack, batch_id, hurry=hurry), looks.titled))


def _await_end(stack: Stack, looks: Looks, batch_id: str, hurry: Hurry, minutes: float) -> dict[int, Open]:
    """Wait until the batch has ended, or what is left is not waited for; return the shards that are left."""
    table, function, asked = stack.clients.table(stack.table), _advance_function(stack), dict[int, float]()
    deadline = time.monotonic() + minutes * 60
    with Display(own_provider=True) as display:
        while not (now := read_progress(table, batch_id)).ended:
            left = list_open_shards(table, batch_id)
            if hurry.asked:
                return left
            looks.look([each.running for each in left.values() if each.running], _providers(left))
            for shard in islice(_due_shards(looks, left, asked), _MOST_AT_ONCE):
                asked[shard] = time.monotonic()
                function(json.dumps({"batch_id": batch_id, "shard": shard}).encode())
            display.show(now, _waits(looks, left))
            given_up = left and all(_is_given_up(looks, each) for each in left.values())
            if given_up or time.monotonic() >= deadline:
                return left
            check_stack(stack)
            hurry.nap(_LOOK_SECONDS)
    return {}


def _providers(left: Mapping[int, Open]) -> set[str]:
    return {each.provider for each in left.values() if each.provider is not None}


def _is_given_up(looks: Looks, shard: Open) -> bool:
    silent = None if shard.provider is None else looks.silent_seconds(shard.provider, shard.running)
    return silent is not None and silent >= SILENT_SECONDS


def _waits(looks: Looks, left: Mapping[int, Open]) -> str:
    """Say what the end of the batch waits for, and for how long still."""
    told = list[str]()
    for provider in sorted(_providers(left)):
        of = [each for each in left.values() if each.provider == provider]
        silent = [looks.silent_seconds(provider, each.running) for each in of]
        known, name = [each for each in silent if each is not None], looks.name(provider) or "the provider"
        if len(known) < len(of):
            told.append(f"{name} has {len(of):,} {'shard' if len(of) == 1 else 'shards'} to end")
        else:
            rest = max(0.0, SILENT_SECONDS - min(known))
            told.append(f"{name} does not answer ({looks.why(provider)}), and is waited for {rest:.0f} s more")
    return "; ".join(told) or "the answers are put together"


def _due_shards(looks: Looks, left: Mapping[int, Open], asked: Mapping[int, float]) -> Iterator[int]:
    """Yield the shards whose provider batch is over; a shard that still does not end is due again ten seconds later."""
    for shard in sorted(left, key=lambda shard: asked.get(shard, 0.0)):
        running = left[shard].running
        lately = shard in asked and time.monotonic() - asked[shard] < _AGAIN_SECONDS
        if not lately and (running is None or _has_ended(looks, running)):
            yield shard


def _has_ended(looks: Looks, running: Held) -> bool:
    seen = looks.shown.get(running)
    return seen is not None and seen.ended


def _put_together(stack: Stack, batch_id: str, say: Callable[[str], None]) -> None:
    """Have the results written now, without the answers that are not there."""
    say("What is finished is put together.")
    name, deadline = _function(stack, "AssembleFunction"), time.monotonic() + _ASSEMBLE_SECONDS
    # else an answer that comes just now would have the results written twice, each time with others
    stop_functions(stack, [each for each in function_names(stack) if each != name])
    functions, payload = stack.clients.other("lambda", _ASSEMBLE_SECONDS), json.dumps({"batch_id": batch_id}).encode()

    def assemble() -> dict[str, str]:
        answer: dict[str, str] = json.load(functions.invoke(FunctionName=name, Payload=payload)["Payload"])
        return answer

    def over() -> bool:
        check_stack(stack)
        return time.monotonic() > deadline

    while (answer := side_by_side({"": assemble}, over).get("", {})).get("next") == "assemble":
        pass  # it did not have time enough, and goes on where it stopped
    if "next" not in answer:
        say(f"It could not be put together. What the functions logged: {save_logs(stack)}")


def _spared(stack: Stack, looks: Looks, batch_id: str, hurry: Hurry) -> list[Held]:
    """Return what must stay at the providers: what is not fetched yet, and what is at a provider that does not answer."""
    table = stack.clients.table(stack.table)
    kept = list_held(table, batch_id)
    if hurry.asked:
        return kept
    open_ones = list_held(table, batch_id, unfinished=True)
    return [held for held in kept if held in open_ones or looks.silent_seconds(held.provider) is not None]


def _advance_function(stack: Stack) -> Callable[[bytes], None]:
    name, functions = _function(stack, "AdvanceFunction"), stack.clients.other("lambda")
    return lambda payload: functions.invoke(FunctionName=name, InvocationType="Event", Payload=payload)


def _function(stack: Stack, logical: str) -> str:
    found = stack.clients.other("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical)
    name: str = found["StackResourceDetail"]["PhysicalResourceId"]
    return name
