"""Files at the provider: an upload is waited for until it is ready, and deleted when nobody needs it any more."""

from collections.abc import Sequence
from operator import methodcaller
from typing import Final, NamedTuple

from batch_client import APIStatusError, BadRequestError, BatchClientError, Prepared
from batchyard.domain.batch import window_seconds
from batchyard.domain.errors import StaleRecord
from batchyard.domain.numbers import HOUR
from batchyard.domain.pacing import room_wait
from batchyard.domain.policy import Reaction, after_failed_call
from batchyard.domain.shard import Shard, with_members
from batchyard.observability import logger
from batchyard.providers.account import Account
from batchyard.services import Services
from batchyard.shards.pauses import moment
from batchyard.shards.turn import Turn

# Seconds between two looks at a file that is processed: a second or two at first, then half of the time so far.
LOOK_FLOOR, LOOK_CEILING = 2, 60
TOLD_AFTER: Final = 60  # seconds of waiting for a file
PROCESSED_WITHIN: Final = 3 * HOUR  # a file that takes longer is uploaded again
# The file is gone, or the provider does not delete files: asking again would change nothing.
FINAL_REACTIONS: Final = frozenset({Reaction.FAIL_LINES, Reaction.UPLOAD, Reaction.ASK_AGAIN, Reaction.CUT})
FINAL_STATUSES: Final = frozenset({405, 501})
MOST_AT_ONCE: Final = 20  # a step must end in time though a provider needs seconds for each


class Deletion(NamedTuple):
    """How many files were deleted, and which are left: the provider does not serve us just now, or refuses our key."""

    deleted: int
    left: list[str]


def is_old(turn: Turn) -> bool:
    """Tell whether the uploaded file would be gone before a batch of it has had its window; then it is uploaded again."""
    kept, since = turn.account.facts.inputs_kept, turn.shard.file_since
    needed = min(window_seconds(turn.window), kept // 2)
    return kept > 0 and since > 0 and turn.services.now() + needed >= since + kept


def wait_for(turn: Turn, file_id: str) -> int:
    """Look whether a file is ready: answer 0 if so, else the seconds to wait; raises BadRequestError if it never will be."""
    try:
        seen = turn.account.ask(methodcaller("prepared", file_id))
    except APIStatusError as error:
        if after_failed_call(error) not in FINAL_REACTIONS:
            raise
        logger.info("file not shown", file_id=file_id, status=error.status)  # then the create tells whether it is ready
        seen = Prepared(file_id)
    return wait(turn, seen)


def wait(turn: Turn, file: Prepared) -> int:
    """Do as `wait_for`, with a file as the provider has just shown it."""
    shard, now = turn.shard, turn.services.now()
    waited = now - shard.file_pending_since
    too_slow = f"it is processed since {moment(shard.file_pending_since)}"
    problem = file.problem or (too_slow if file.pending and waited >= PROCESSED_WITHIN else None)
    if problem:
        turn.save(with_members(shard, file_id=None))
        raise BadRequestError(f"The provider cannot use the uploaded file {file.id}: {problem}")
    if not file.pending:
        if shard.file_pending_since:
            turn.save(with_members(shard, file_pending_since=0))
        return 0
    if waited >= TOLD_AFTER:
        since = moment(shard.file_pending_since)
        turn.save_pause(
            f"The provider processes the uploaded file {file.id} since {since}. Batchyard looks again every minute, and "
            "goes on once the file is processed."
        )
    return room_wait(waited, LOOK_FLOOR, LOOK_CEILING, turn.services.chance(), soon=False)


def delete(services: Services, shard: Shard) -> Shard:
    """Delete some of a saved shard's files at the provider, one try each; files that fail stay for the next time."""
    if not shard.files_to_delete or shard.at_provider or not may_delete(services):
        return shard
    first, rest = shard.files_to_delete[:MOST_AT_ONCE], shard.files_to_delete[MOST_AT_ONCE:]
    left = [*delete_files(services.account(shard.provider), first).left, *rest]
    if left == shard.files_to_delete:
        return shard
    try:
        return services.batch_store.save_shard(shard, with_members(shard, files_to_delete=left))
    except StaleRecord:
        logger.info("files deleted, but another worker moved the shard", batch_id=shard.batch_id, shard=shard.shard)
        return shard


def may_delete(services: Services) -> bool:
    """Tell whether files may be deleted at the provider at all."""
    return services.settings.keep_provider_files != "true"


def delete_files(account: Account, file_ids: Sequence[str]) -> Deletion:
    """Delete files one after the other, until the provider does not serve us."""
    deleted = 0
    for at, file_id in enumerate(file_ids):
        try:
            deleted += account.ask(methodcaller("forget", file_id))
        except BatchClientError as error:
            final = after_failed_call(error) in FINAL_REACTIONS or error.status in FINAL_STATUSES
            told = {"file_id": file_id, "error": type(error).__name__, "status": error.status, "final": final}
            logger.info("file not deleted", extra=told)
            if not final:
                return Deletion(deleted, list(file_ids[at:]))
    return Deletion(deleted, [])
