"""Cancel what runs at the user's own provider when the stack is stopped, and say what became of each provider batch."""

from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local.run.cancel_at_once import cancel_at_once
from local.run.cancel_one import cancel_one
from local.run.finish import finish
from local.run.records import list_provider_batches, read_batches, read_progress
from local.signals import Hurry
from local.stack.provider_choice import Own
from local.stack.running import Stack

_AGAIN = "Make room, and run the input again."


def cancel_all(
    stack: Stack, provider: Own, say: Callable[[str], None], out: Path | None = None, hurry: Hurry | None = None
) -> None:
    """Cancel every open batch within about ten seconds, and say what became of the provider batches.

    With a folder `out`, wait for the end of the batch, unless a person hurries, and put what was finished into `out`.
    """
    hurry = hurry or Hurry()
    try:
        if out is None:
            cancel_at_once(stack, provider, say)
            return
        for batch in read_batches(stack.clients.table(stack.table)):
            if not batch.ended:
                cancel_one(stack, provider, batch.batch_id, say, out, hurry)
            elif (
                not batch.dry_run and not (out / batch.batch_id).exists()
            ):  # the stop came before the results were in the folder
                say("The batch has ended, and its results are fetched.")
                finish(stack, read_progress(stack.clients.table(stack.table), batch.batch_id), out, say, hurry=hurry)
    except (BotoCoreError, ClientError):
        say("What still runs at the provider could not be found out; its own list of batches shows it.")


def kept_sentence(stack: Stack) -> str:
    """Say which provider batches hold answers that were not fetched into OUT, and what to do."""
    if stack.own is None:
        return _AGAIN
    try:
        ids = list_provider_batches(stack.clients.table(stack.table))
    except (BotoCoreError, ClientError):
        return "The provider's own list of batches shows what was sent to it."
    if not ids:
        return f"The provider was given no batch, so nothing is paid. {_AGAIN}"
    kept = "Nothing was deleted there." if stack.deletes_late else "Answers that were fetched may be deleted there."
    return f"What the provider has finished is in the results of {', '.join(ids)}. {kept}"
