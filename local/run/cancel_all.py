"""Cancel what runs at the user's own provider when the stack is stopped, and say what became of each provider batch."""

from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local.run.cancel_at_once import cancel_at_once
from local.run.cancel_one import cancel_one
from local.run.finish import finish
from local.run.records import read_batches, read_progress
from local.stack.provider_choice import Own
from local.stack.running import Stack


def cancel_all(stack: Stack, provider: Own, say: Callable[[str], None], out: Path | None = None) -> None:
    """Cancel every open batch within about ten seconds, and say what became of the provider batches.

    With a folder `out`, wait for the end of the batch and put what was finished into `out`.
    """
    try:
        if out is None:
            cancel_at_once(stack, provider, say)
            return
        for batch in read_batches(stack.clients.table(stack.table)):
            if not batch.ended:
                cancel_one(stack, provider, batch.batch_id, say, out)
            elif (
                not batch.dry_run and not (out / batch.batch_id).exists()
            ):  # the stop came before the results were in the folder
                say("The batch has ended, and its results are fetched. Ctrl-C again ends at once.")
                finish(stack, read_progress(stack.clients.table(stack.table), batch.batch_id), out, say)
    except (BotoCoreError, ClientError):
        say("What still runs at the provider could not be found out; its own list of batches shows it.")
