"""One run of the sweep: what it did, what it could not do, and how long it may go on."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from batch_client import BatchClientError
from batchyard.domain.errors import BatchyardError, StaleRecord, StoreError
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import provider_files

RESERVE: Final = 120.0  # seconds; a call to a provider that does not answer may take this long


class SweepRun:
    """The services with a count of what was done in it, by the name of the metric, and a share of the time for each chore."""

    def __init__(self, services: Services, seconds_left: Callable[[], float]) -> None:
        """Begin with nothing done."""
        self.services, self.done = services, Counter[str]()
        self._seconds_left, self._until = seconds_left, RESERVE
        self._failures: list[str] = []
        self.unreachable = False  # the provider does not serve us just now
        self.deletes = provider_files.may_delete(services)
        #: Names of executions of batches that ran when they were listed.
        self.running: frozenset[str] = frozenset()

    def allot(self, chores_left: int) -> None:
        """Give the chore that begins now its share of the time that is left."""
        left = self._seconds_left()
        self._until = max(RESERVE, left - (left - RESERVE) / chores_left)

    def over(self) -> bool:
        """Tell that the chore under way must stop, to go on in the next run."""
        return self._seconds_left() <= self._until

    def count(self, action: str, **facts: object) -> None:
        """Count an action, and log it with what tells where."""
        self.count_many(action, 1, **facts)

    def count_many(self, action: str, times: int, **facts: object) -> None:
        """Count an action taken so many times."""
        if times:
            self.done[action] += times
            logger.info("swept", extra={"action": action, "times": times, **facts})

    def delete(self, file_ids: list[str], **facts: object) -> list[str]:
        """Delete files at the provider and return those that are left; when one is, no more are tried in this run."""
        if not file_ids or not self.deletes:
            return file_ids
        deletion = provider_files.delete_files(self.services, file_ids)
        self.count_many("ProviderFilesDeleted", deletion.deleted, files=file_ids, **facts)
        if deletion.left:
            self.done["ProviderFailures"] += 1
            self.deletes = False
        return deletion.left

    @contextmanager
    def trying(self, **facts: object) -> Iterator[None]:
        """Keep a failure from the rest of the run; what is not the provider's is told at its end."""
        try:
            yield
        except StaleRecord:
            logger.info("somebody else saw to it", extra=facts)
        except BatchClientError as error:
            self.unreachable = self.unreachable or error.retryable
            self.done["ProviderFailures"] += 1
            told = {"error": type(error).__name__, "status": error.status, "code": error.code}
            logger.warning("provider call failed", extra={**told, **facts})
        except BatchyardError as error:
            logger.exception("not swept", extra=facts)
            self._failures.append(f"{facts}: {error}")

    def end(self) -> dict[str, int]:
        """Return what was done; raises StoreError when something of ours failed, so that an alarm tells it."""
        if self._failures:
            raise StoreError(f"{len(self._failures)} things could not be swept, the first: {self._failures[0]}")
        return dict(self.done)
