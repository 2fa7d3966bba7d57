"""What a batch tells its users while it waits for its operator or its provider."""

from datetime import UTC, datetime
from typing import Final

from batch_client import BatchClientError, InvalidArgumentError, QuotaError
from batchyard.domain.errors import KeyMissing, key_command
from batchyard.domain.policy import Reaction, after_failed_call, is_absent, is_key_refused, what_failed
from batchyard.domain.step import Next
from batchyard.shards.turn import Turn

# The calls as people are told of them: each dialect has its own paths for them.
UPLOAD, CREATE, LIST = "the upload of the input", "the create of the batch", "the list of the batches"
LOOK, LOOK_AT_INPUT, READ = "the look at the batch", "the look at the input", "the reading of the results"
TOLD_AFTER: Final = 3  # transient failures in a row, before the batch tells that it waits
LONGEST_WORDS: Final = 500  # characters of what the provider said
ENDLESS: Final = "as long as it takes"
WANTS_OPERATOR, SEE_TO_ACCOUNT = "The provider wants its operator", "See to the account at the provider."
ABSENT: Final = {
    UPLOAD: "The provider may take no inputs at this address",
    CREATE: "The provider may have no batch API at this address",
}
CHECK_ADDRESS: Final = "Check that ProviderBaseUrl is the address of a batch API, and ProviderProfile the kind of it."
CHECK_ENTRY: Final = (
    "Check the provider's entry in Providers: base_url must be the address of a batch API, and profile the kind of it."
)
IF_IT_LASTS: Final = "If it lasts, ask the provider."


def moment(seconds: float) -> str:
    """Write Unix seconds for people, to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def why_failed(turn: Turn, call: str, error: BatchClientError, how_long: str) -> str | None:
    """Say what a shard waits for after a failed call; None while the call may just be tried again.

    `how_long` says until when the call is tried again.
    """
    failures = turn.shard.failures_in_a_row + 1
    if isinstance(error, KeyMissing):
        return error.message
    if failures < TOLD_AFTER and not _is_told_at_once(turn, call, error):
        return None
    what = what_failed(call, error)
    head, remedy = _head_and_remedy(turn, call, error, failures)
    return sentences(turn, f"{head}: {what}", turn.shard.failing_since, "tries again", how_long, remedy)


def _is_told_at_once(turn: Turn, call: str, error: BatchClientError) -> bool:
    """Tell whether a person may be needed; a provider batch that is not found, or a provider that is busy, seldom needs one."""
    reaction = after_failed_call(error)
    if reaction in {Reaction.PAUSE, Reaction.REUSE}:
        return True
    refused = reaction is not Reaction.RETRY or (call in ABSENT and is_absent(error))
    return refused and turn.step.next is Next.SUBMIT


def sentences(turn: Turn, what: str, since: int, does: str, how_long: str, remedy: str) -> str:
    """Say what happened, since when, what Batchyard does next, and what a person can do."""
    settings, batch_id = turn.services.settings, turn.shard.batch_id
    what = f"{turn.account.name}: {what}" if len(turn.services.accounts) > 1 else what
    what = what.strip().rstrip(".")
    what = what if len(what) <= LONGEST_WORDS else what[: LONGEST_WORDS - 1] + "…"
    minutes = max(1, settings.retry_ceiling_seconds // 60)
    return (
        f"{what}. It has been so since {moment(since or turn.services.now())}. Batchyard {does}, at most {minutes} "
        f"minutes apart, {how_long}. {remedy} POST /v1/batches/{batch_id}/resume tries at once; cancel the batch to end it."
    )


def _head_and_remedy(turn: Turn, call: str, error: BatchClientError, failures: int) -> tuple[str, str]:
    settings = turn.services.settings
    check = CHECK_ENTRY if settings.providers else CHECK_ADDRESS
    if is_key_refused(error):
        command = key_command(turn.account.secret.name, several=bool(settings.providers))
        return "The provider refused our key", f"The operator stores a valid key: {command}."
    if isinstance(error, InvalidArgumentError):
        return "The key or the address cannot be sent", f"The operator checks the stored key. {check}"
    if isinstance(error, QuotaError):
        return "The provider refused us", "Pay, or have the limit of the account raised, at the provider."
    reaction = after_failed_call(error)
    if reaction is Reaction.PAUSE:
        return "The provider refused us", "Give the key the right to this call, at the provider."
    if call in ABSENT and is_absent(error):
        return ABSENT[call], check
    if reaction is Reaction.REUSE:
        return "The provider has no room", "Wait, or ask the provider for a higher limit."
    if reaction is Reaction.RETRY:
        return f"The provider has not served us {failures} times in a row", f"See how the provider does. {IF_IT_LASTS}"
    return "The provider refused", IF_IT_LASTS
