"""Finish a batch that has ended: its results first, and then its files at the user's own provider."""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from local.errors import ResultsError
from local.run.provider_files import delete_files, left_sentence
from local.run.records import Held, Progress, list_held
from local.run.reporting import print_closing
from local.run.results import fetch_results
from local.signals import Hurry
from local.stack.provider_choice import titled
from local.stack.running import Stack

_EMULATOR = "the emulator, whose answers are made up"
_ANSWERED = ("completed", "cancelled")


def finish(
    stack: Stack, last: Progress, out: Path, say: Callable[[str], None], seconds: float | None = None,
    spared: Collection[Held] = (), hurry: Hurry | None = None,
) -> bool:  # fmt: skip
    """Put the results into `out`, say how the batch went, and return whether the results are in `out`.

    Files at the provider are deleted only after that, but for those that are `spared`, and while nobody hurries. They stay
    if the results are not in `out`, or have no answers.

    Raises:
        ResultsError: the results can be written nowhere; the text says what is left at the provider.

    """
    try:
        fetched = fetch_results(stack, last.batch_id, out, say)
    except ResultsError as error:
        raise ResultsError(f"{error} {_kept(stack, last.batch_id)}".rstrip()) from error
    if fetched.trouble:
        say(fetched.trouble)
    print_closing(last, fetched.paths, seconds, stack.own.url if stack.own else _EMULATOR)
    if not stack.deletes_late:
        return fetched.trouble is None
    if fetched.trouble or last.status not in _ANSWERED:
        kept = _kept(stack, last.batch_id)
        if kept:
            say(kept)
    elif left := delete_files(stack, last.batch_id, spared, hurry):
        say(left_sentence(left, partial(_titled, stack)))
    return fetched.trouble is None


def _kept(stack: Stack, batch_id: str) -> str:
    """Say what is left at the user's own provider; an empty text if nothing is."""
    left = list_held(stack.clients.table(stack.table), batch_id) if stack.own else []
    return (
        f"Nothing was deleted at the provider; of the batch there are: {', '.join(map(partial(_titled, stack), left))}."
        if left
        else ""
    )


def _titled(stack: Stack, held: Held) -> str:
    return titled(stack.own, *held) if stack.own else held.id
