"""Say what a run that could not go on has left at the user's own provider, where it is paid for."""

from botocore.exceptions import BotoCoreError, ClientError

from local.run.records import list_provider_batches
from local.stack.running import Stack

_AGAIN = "Make room, and run the input again."


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
