"""Files at the provider that nobody needs any more."""

from collections.abc import Sequence
from operator import methodcaller
from typing import Final, NamedTuple

from batch_client import BatchClientError
from batchyard.domain.errors import StaleRecord
from batchyard.domain.policy import Reaction, after_failed_call
from batchyard.domain.shard import Shard, change
from batchyard.observability import logger
from batchyard.services import Services

# The file is gone, or the provider does not delete files: asking again would change nothing.
FINAL_REACTIONS: Final = frozenset({Reaction.FAIL_LINES, Reaction.UPLOAD, Reaction.ASK_AGAIN})
FINAL_STATUSES: Final = frozenset({405, 501})
MOST_AT_ONCE: Final = 20  # a step must end in time though a provider needs seconds for each


class Deletion(NamedTuple):
    """How many files were deleted, and which are left: the provider does not serve us just now, or refuses our key."""

    deleted: int
    left: list[str]


def delete(services: Services, shard: Shard) -> Shard:
    """Delete some of a saved shard's files at the provider, one try each; files that fail stay for the next time."""
    if not shard.files_to_delete or shard.at_provider or not may_delete(services):
        return shard
    first, rest = shard.files_to_delete[:MOST_AT_ONCE], shard.files_to_delete[MOST_AT_ONCE:]
    left = [*delete_files(services, first).left, *rest]
    if left == shard.files_to_delete:
        return shard
    try:
        return services.batch_store.save_shard(shard, change(shard, files_to_delete=left))
    except StaleRecord:
        logger.info("files deleted, but another worker moved the shard", batch_id=shard.batch_id, shard=shard.shard)
        return shard


def may_delete(services: Services) -> bool:
    """Tell whether files may be deleted at the provider at all."""
    return services.settings.keep_provider_files != "true"


def delete_files(services: Services, file_ids: Sequence[str]) -> Deletion:
    """Delete files one after the other, until the provider does not serve us."""
    deleted = 0
    for at, file_id in enumerate(file_ids):
        try:
            services.ask(methodcaller("delete_file", file_id))
            deleted += 1
        except BatchClientError as error:
            final = after_failed_call(error) in FINAL_REACTIONS or error.status in FINAL_STATUSES
            told = {"file_id": file_id, "error": type(error).__name__, "status": error.status, "final": final}
            logger.info("file not deleted", extra=told)
            if not final:
                return Deletion(deleted, list(file_ids[at:]))
    return Deletion(deleted, [])
